import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** Whether Node finds the package from here, without loading it. */
export function isInstalled(name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** The installed version of a package that exports its `package.json` or has no export map; "?" otherwise. */
export function versionOf(name: string): string {
  try {
    return (require(`${name}/package.json`) as { version: string }).version;
  } catch {
    return "?";
  }
}
