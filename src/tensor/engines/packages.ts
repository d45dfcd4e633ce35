import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { packageRoot } from "../../system/package-root.ts";

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

/**
 * The command that installs packages which this one can use and does not bring, in versions that it was tested with.
 * None of them needs its install script.
 */
export function installCommand(names: readonly string[]): string {
  const { peerDependencies } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    peerDependencies: Record<string, string>;
  };
  const versioned = names.map((name) => `${name}@${peerDependencies[name]!.replace("^", "")}`);
  return `npm install --ignore-scripts ${versioned.join(" ")}`;
}
