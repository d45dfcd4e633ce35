import { afterAll } from "@jest/globals";
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const root = resolve(import.meta.dirname, "..");
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/**
 * Bundles a program of TypeScript into one file that Node starts at once: so many modules cost each start more than most
 * of what is tested. Two folders below the root, as the files of `src/`; removed when the suite is done.
 *
 * @param program a file, from the root, or a text whose imports are written from there
 * @returns the file to start
 */
export async function bundledProgram(program: { file: string } | { text: string }): Promise<string> {
  const folder = join(root, ".cache", `program-${process.pid}-${randomUUID()}`);
  mkdirSync(folder, { recursive: true });
  folders.push(folder);
  const outfile = join(folder, "program.js");
  await build({
    absWorkingDir: root,
    ...("file" in program
      ? { entryPoints: [program.file] }
      : { stdin: { contents: program.text, resolveDir: root, loader: "ts" } }),
    outfile,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    target: "node20",
  });
  return outfile;
}
