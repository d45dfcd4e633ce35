import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** Loads libraries in turn, multiplies 2 by 3 with the first that loads, and prints its path. */
const TRIAL = `
  const [koffiPath, ...paths] = process.argv.slice(1);
  const koffi = require(koffiPath);
  const types = ["int", "int", "int", "int", "int", "int", "float", "float *", "int", "float *", "int", "float"];
  for (const path of paths) {
    let sgemm;
    try {
      sgemm = koffi.load(path).func("cblas_sgemm", "void", [...types, "_Inout_ float *", "int"]);
    } catch (error) {
      console.error(error.message);
      continue;
    }
    process.stdout.write(path);
    const [a, b, c] = [2, 3, 0].map((value) => Float32Array.of(value));
    sgemm(101, 111, 111, 1, 1, 1, 1, a, 1, b, 1, 0, c, 1);
    process.exit(c[0] === 6 ? 0 : 1);
  }
  process.exit(1);`;

/**
 * Which of the libraries is the first to load with a working `cblas_sgemm`. Tried in a process of its own, because a
 * damaged or unfit library ends the process that loads or calls it.
 * @throws Error with the reason where none does
 */
export function firstSoundBlas(paths: readonly string[]): string {
  const given = ["-e", TRIAL, require.resolve("koffi"), ...paths];
  const { status, signal, stdout, stderr, error } = spawnSync(process.execPath, given, {
    encoding: "utf8",
    timeout: 20_000,
  });
  if (error !== undefined) throw error;
  if (status === 0) return stdout;
  const tried = stdout || paths.join(", ");
  if (status === null) throw new Error(`${tried} ends the process that uses it (${signal})`);
  if (stdout !== "") throw new Error(`${tried} multiplies wrongly`);
  throw new Error(paths.length > 1 ? `none of ${tried} loads` : `${tried} does not load: ${stderr.trim()}`);
}

/**
 * @throws Error where a Linux library is shorter than the parts that the loader maps: touching the missing end would
 *   end the process
 */
export function requireWhole(path: string): void {
  const size = statSync(path).size;
  const file = openSync(path, "r");
  try {
    const header = Buffer.alloc(64);
    readSync(file, header, 0, 64, 0);
    const is64BitElf = header.readUInt32BE(0) === 0x7f454c46 && header[4] === 2;
    if (!is64BitElf) return;
    const [tableAt, entryBytes, entries] = [
      Number(header.readBigUInt64LE(32)),
      header.readUInt16LE(54),
      header.readUInt16LE(56),
    ];
    const table = Buffer.alloc(entryBytes * entries);
    readSync(file, table, 0, table.length, tableAt);
    for (let at = 0; at < table.length; at += entryBytes) {
      const end = Number(table.readBigUInt64LE(at + 8) + table.readBigUInt64LE(at + 32));
      if (end > size) throw new Error(`${path} is cut off: it has ${size} of at least ${end} bytes`);
    }
  } finally {
    closeSync(file);
  }
}
