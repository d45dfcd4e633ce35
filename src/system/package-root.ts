import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

let found: string | undefined;

/** This package's folder: of a checkout, or below `node_modules`. */
export function packageRoot(): string {
  if (found !== undefined) return found;
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder))
    if (nameIn(folder) === "tokensift") return (found = folder);
  throw new Error("The package's own package.json is missing.");
}

/** This package's version. */
export function packageVersion(): string {
  return String(manifestIn(packageRoot())["version"]);
}

function nameIn(folder: string): unknown {
  return existsSync(join(folder, "package.json")) ? manifestIn(folder)["name"] : undefined;
}

function manifestIn(folder: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
}
