import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/**
 * Makes the declarations below `folder` ones that any project can check: those that no entry of the package leads to are
 * removed, TensorFlow.js' types are replaced by `tensor/published-tensors`, and what uses `Symbol.dispose` asks for it.
 * @param folder `dist`
 * @param entries files that the package exports, absolute
 */
export function mendDeclarations(folder: string, entries: readonly string[]): void {
  const tensors = join(folder, "tensor/published-tensors.d.ts");
  const kept = reachable([...entries, tensors]);
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const file = join(folder, name);
    if (!file.endsWith(".d.ts")) continue;
    if (!kept.has(file)) rmSync(file);
    else writeFileSync(file, mended(readFileSync(file, "utf8"), pathBetween(file, tensors)));
  }
}

function mended(text: string, tensors: string): string {
  const own = text.replaceAll('"@tensorflow/tfjs-core"', JSON.stringify(tensors));
  return own.includes("Symbol.dispose") ? `/// <reference lib="esnext.disposable" />\n${own}` : own;
}

function pathBetween(file: string, target: string): string {
  const path = relative(dirname(file), target)
    .replaceAll("\\", "/")
    .replace(/\.d\.ts$/, ".js");
  return path.startsWith(".") ? path : `./${path}`;
}

/** The files, and those that they import, directly or not. */
function reachable(entries: readonly string[]): Set<string> {
  const found = new Set<string>();
  const waiting = [...entries];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    for (const [, path] of readFileSync(file, "utf8").matchAll(/(?:from |import\()"(\.[^"]+)"/g))
      waiting.push(join(dirname(file), path!.replace(/\.[tj]s$/, ".d.ts")));
  }
  return found;
}
