import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

/**
 * Bundles `trainers/` once for all suites that start them as processes: so many files of TypeScript cost each start
 * more than most of these runs. Two folders below the root, as the files of `src/`, from where they name others.
 */
export default async function bundleTrainers() {
  const root = resolve(import.meta.dirname, "..");
  const folder = join(root, ".cache", `trainers-${process.pid}`);
  await build({
    absWorkingDir: root,
    entryPoints: ["trainers/*.ts"],
    outdir: folder,
    bundle: true,
    splitting: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node20",
  });
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  process.env["TOKENSIFT_TRAINERS"] = folder;
}
