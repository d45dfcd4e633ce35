import type * as koffiPackage from "koffi";

/** Opens a library once more by the system's own call: koffi closes it when its handle is garbage, code and all. */
export function keepLoaded(koffi: typeof koffiPackage, path: string): void {
  const RESOLVE_NOW = 2;
  if (process.platform === "win32") koffi.load("kernel32.dll").func("LoadLibraryW", "void *", ["str16"])(path);
  else koffi.load(null).func("dlopen", "void *", ["str", "int"])(path, RESOLVE_NOW);
}
