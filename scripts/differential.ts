// npx tsx scripts/differential.ts [KIND...] [--inputs N] [--seed N]
//   TOKENSIFT_PYTHON: a Python that has pyarrow, safetensors, gguf and tokenizers; default python3
//
// Changes N sound files of each kind (arrow, parquet, safetensors, gguf, tokenizer; 2,000 unless told otherwise), reads them
// here and with Python's own libraries, and compares: what one accepts and the other refuses is counted by reason with an
// example, and every file that both read must hold the same, or the command ends with 1.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { UNREADABLE } from "../src/data/cell-values.ts";
import { arrow } from "../src/data/readers/arrow.ts";
import { parquet } from "../src/data/readers/parquet.ts";
import type { Reader } from "../src/data/readers/reader.ts";
import { readGgufHeader } from "../src/model/weights/gguf.ts";
import { readSafetensors } from "../src/model/weights/safetensors.ts";
import type { RandomStream } from "../src/system/random.ts";
import { changed } from "../test/fuzz/bytes.ts";
import { inMemory } from "../test/fuzz/files.ts";
import { drawsOf } from "../test/fuzz/target.ts";
import { arrowSamples, parquetSamples } from "../test/fuzz/targets/tables.ts";
import { drawTokenizer, tokenizerOf, tokenizerSamples } from "../test/fuzz/targets/tokenizer.ts";
import { drawSafetensors, ggufSamples, safetensorsSamples } from "../test/fuzz/targets/weights.ts";

interface Kind {
  /** Fewer changes than for fuzzing, as both refuse most files with many. */
  draw(draws: RandomStream): Uint8Array;
  /** What was read, as text that Python writes in the same way. */
  read(path: string, bytes: Uint8Array): Promise<string> | string;
}

const fewChanges = 1.5;
const texts = ["", " hi  there 12\n", "The cat's 3.5 é e\u0301 naïve", "aaaa bb\tc<s>[MASK]</s>", "▁x  Ġ ﷺﬁ 🍣"];

function kinds(): Record<string, Kind> {
  const tables = (samples: ReturnType<typeof arrowSamples>, reader: Reader): Kind => ({
    draw: (draws) => changed(samples, draws, fewChanges),
    read: (path) => readTable(reader, path),
  });
  const [safetensors, gguf] = [safetensorsSamples().slice(0, 1), ggufSamples()];
  // what Python does with a file's version, truncation and padding has no part in the ids of a text
  const passedOver = ["version", "truncation", "padding"];
  const tokenizers = tokenizerSamples().map((json) =>
    Object.fromEntries(Object.entries(json).filter(([key]) => !passedOver.includes(key))),
  );
  return {
    arrow: tables(arrowSamples(), arrow),
    parquet: tables(parquetSamples(), parquet),
    safetensors: {
      draw: (draws) => drawSafetensors(safetensors, draws),
      async read(_path, bytes) {
        const { tensors } = await readSafetensors(inMemory(bytes));
        return JSON.stringify(
          sorted(tensors, ({ encoding, shape, offset, bytes: length }) => [
            encoding.name,
            shape,
            sha256(bytes.subarray(offset, offset + length)),
          ]),
        );
      },
    },
    gguf: {
      draw: (draws) => changed(gguf, draws, fewChanges),
      read(_path, bytes) {
        const { metadata, tensors } = readGgufHeader(inMemory(bytes));
        const places = sorted(tensors, ({ shape, encoding, offset, bytes: length }) => [
          shape,
          encoding.name,
          offset,
          length,
        ]);
        return canonical([sorted(new Map(Object.entries(metadata)), (value) => value), places]);
      },
    },
    tokenizer: {
      draw: (draws) => Buffer.from(drawTokenizer(tokenizers, draws, fewChanges)),
      read(_path, bytes) {
        const { encode } = tokenizerOf(Buffer.from(bytes).toString());
        return JSON.stringify(texts.map((text) => [encode(text), encode(text, { addSpecialTokens: true })]));
      },
    },
  };
}

const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

function sorted<V>(entries: ReadonlyMap<string, V>, of: (value: V) => unknown): [string, unknown][] {
  const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  return [...entries].map(([name, value]): [string, unknown] => [name, of(value)]).sort(([a], [b]) => bytewise(a, b));
}

async function readTable(reader: Reader, path: string): Promise<string> {
  const table = await reader.open(path);
  try {
    const rows: unknown[] = [];
    while (rows.length < table.length) {
      const block = await table.rows(rows.length, table.length, table.columns);
      rows.push(...block.map((row) => table.columns.map((name) => row[name])));
    }
    return canonical([table.columns, rows]);
  } finally {
    await table.close();
  }
}

/** JSON in which numbers are whole or the bits of a double, and what is not read is a question mark. */
function canonical(value: unknown): string {
  if (value === UNREADABLE) return '"?"';
  if (value === undefined || value === null) return "null";
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return String(value + 0);
    const bits = Buffer.alloc(8);
    bits.writeDoubleBE(value);
    return Number.isNaN(value) ? '"nan"' : `"f${bits.toString("hex")}"`;
  }
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value) || ArrayBuffer.isView(value))
    return `[${Array.from(value as ArrayLike<unknown>, canonical).join()}]`;
  return canonical(sorted(new Map(Object.entries(value)), (each) => each));
}

const { values, positionals } = parseArgs({
  options: {
    inputs: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    keep: { type: "boolean" },
  },
  allowPositionals: true,
});
const [inputs, seed] = [Number(values.inputs), Number(values.seed)];
const folder = mkdtempSync(join(tmpdir(), "differential-"));
const all = kinds();
try {
  for (const name of positionals.length > 0 ? positionals : Object.keys(all)) {
    const { draw, read } = all[name]!;
    mkdirSync(join(folder, name));
    const verdicts: object[] = [];
    for (let at = 0; at < inputs; at++) {
      const bytes = draw(drawsOf(seed, at));
      const path = join(folder, name, String(at));
      writeFileSync(path, bytes);
      try {
        const text = await read(path, bytes);
        verdicts.push({ at, digest: sha256(text), text });
      } catch (error) {
        const { code = "", message } = error as { code?: string; message: string };
        verdicts.push({ at, code, refused: message.replace(`${path}: `, "").split("\n")[0]!.slice(0, 200) });
      }
    }
    writeFileSync(join(folder, `${name}.json`), JSON.stringify({ texts, verdicts }));
    const script = join(import.meta.dirname, "differential.py");
    const { status } = spawnSync(process.env["TOKENSIFT_PYTHON"] ?? "python3", [script, folder, name], {
      stdio: "inherit",
    });
    if (status !== 0) process.exitCode = 1;
  }
} finally {
  if (values.keep === true) process.stdout.write(`kept in ${folder}\n`);
  else rmSync(folder, { recursive: true });
}
