import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { decompressed } from "../../../src/data/compressed.ts";
import { DamagedFile } from "../../../src/data/damaged.ts";
import { WrongField } from "../../../src/data/fields.ts";
import { chooseFormat } from "../../../src/data/formats.ts";
import { decompressLz4, decompressLz4Block } from "../../../src/data/arrow/lz4.ts";
import { unzstd } from "../../../src/data/zstandard/frames.ts";
import { UserError } from "../../../src/system/errors.ts";
import { digestOfBytes } from "../../../src/system/file-digest.ts";
import { checkCheckpoint } from "../../../src/training/checkpoint-files.ts";
import { openRunLog } from "../../../src/training/run-log.ts";
import { openRunRecords } from "../../../src/training/run-records.ts";
import { changed } from "../bytes.ts";
import { files, fixture } from "../files.ts";
import { changedJson, changedText, changedTree, type Json } from "../json-trees.ts";
import { isShortOfMemory, oneOf, refusing, refusingLater, target, type Target } from "../target.ts";

const text = Buffer.from(
  Array.from({ length: 60 }, (_, i) => `{"prompt":"${i} + ${i} =","response":"${2 * i}"}\n`).join(""),
);
const mostDecompressed = 2 ** 22;

/** Zstandard frames, LZ4 frames and blocks, and whole gzip files. What they throw is told as a damaged file by who reads them. */
export const compressed = (): Target => {
  const { write, close } = files();
  const zst = readFileSync(fixture("data/rows.jsonl.zst"));
  const zstSamples = [
    {
      bytes: zst,
      headers: [
        [0, 80],
        [12, 30],
        [zst.length - 40, zst.length],
      ] as const,
    },
    { bytes: zst.subarray(12, 400) },
  ];
  const lz4 = readFileSync(fixture("data/lz4.arrow"));
  const frameAt = lz4.indexOf(Buffer.from([0x04, 0x22, 0x4d, 0x18]));
  const lz4Samples = [
    { bytes: lz4.subarray(frameAt, frameAt + 200) },
    { bytes: lz4.subarray(frameAt + 11, frameAt + 90) },
  ];
  const gzipSamples = [
    { bytes: gzipSync(text) },
    { bytes: Buffer.concat([gzipSync("a\n"), gzipSync("b\n"), Buffer.alloc(9)]) },
  ];
  return target(
    async (draws) => {
      const kind = draws.next();
      if (kind < 0.7) {
        const bytes = changed(zstSamples, draws);
        try {
          decompressInTwo(bytes, draws.below(bytes.length + 1));
        } catch (error) {
          if (isShortOfMemory(error)) throw error;
        }
        return;
      }
      if (kind < 0.98) {
        const bytes = changed(lz4Samples, draws);
        refusing(() => decompressLz4(bytes, mostDecompressed), DamagedFile);
        return void refusing(() => decompressLz4Block(bytes, draws.below(4000)), DamagedFile);
      }
      // what is sound stays open until the process ends: so it is cut short, or has something behind it
      const bytes = changed(gzipSamples, draws);
      const file = write(
        "fuzzed.jsonl.gz",
        draws.next() < 0.5 ? bytes.subarray(0, -5) : Buffer.concat([bytes, Buffer.from("x")]),
      );
      await refusingLater(() => decompressed(file, "gzip"));
    },
    { close },
  );
};

function decompressInTwo(bytes: Uint8Array, half: number): void {
  let length = 0;
  const stream = unzstd((piece) => {
    length += piece.length;
    if (length > mostDecompressed) throw new UserError("too-large", "enough");
  });
  stream.push(bytes.subarray(0, half));
  stream.push(bytes.subarray(half));
  stream.end();
}

const columns: Record<string, Json> = {
  messages: [
    { role: "user", content: "hi" },
    { role: "assistant", content: [{ type: "text", text: "é" }], weight: 0.5, tool_calls: [] },
  ],
  conversations: [
    { from: "human", value: "a" },
    { from: "gpt", value: "b" },
  ],
  prompt: "1+1?",
  response: "2",
  system: "be brief",
  history: [["a", "b"]],
  input_ids: [1, 2, 3],
  labels: [-100, 2, 3],
  attention_mask: [1, 1, 0],
  position_ids: [0, 1, 0],
  seq_lengths: [1, 2],
  cu_seqlens: [0, 1, 3],
  question: "q",
  answer: "#### 4",
  instruction: "do",
  input: "x",
  output: "y",
  chosen: "a",
  rejected: [{ role: "assistant", content: "b" }],
  text: "some text",
  weights: [1, 0.5, 0],
  spans: [{ start: 0, end: 1, weight: 0.5 }],
  tools: [{ type: "function", function: { name: "f" } }],
  reward_model: { ground_truth: "4", style: "rule" },
};

/** Rows of any columns with any values, read as the format that their columns say. */
export const rows = (): Target =>
  target((draws) => {
    const names = Array.from({ length: 1 + draws.below(6) }, () => oneOf(draws, Object.keys(columns)));
    let row: Json = Object.fromEntries(names.map((name) => [name, columns[name]!]));
    for (let changes = draws.below(4); changes > 0; changes--) row = changedTree(row, draws);
    const raw = typeof row === "object" && row !== null && !Array.isArray(row) ? row : { text: row };
    refusing(() => chooseFormat("auto", Object.keys(raw), {}, "fuzzed").read(raw), WrongField);
  });

/** A checkpoint's manifest and counters, and the logs of a run that is resumed. */
export const checkpoint = (): Target => {
  const { folder, write, close } = files();
  const line = (step: number): Json => ({ step, loss: 1 / step, seconds: 0.5, rows: [1, 2] });
  const state: Json = {
    ...{
      format: "tokensift checkpoint",
      version: 1,
      step: 3,
      samplesSeen: 6,
      trainedTokens: 30,
      updates: 3,
      skipped: 0,
    },
    ...{ identity: { engine: "cpu", threads: 2 }, sources: [{ decay: 0.9 }] },
  };
  const log = [1, 2, 3].map(line);
  const logText = (lines: readonly Json[]): string => lines.map((each) => `${JSON.stringify(each)}\n`).join("");
  const content = {
    ...{ format: "tokensift manifest", version: 1, step: 3, identity: {}, records: {} },
    files: { "training.json": { ...digestOfBytes(JSON.stringify(state)) } },
  };
  const sealed = (of: Json): Json => ({ ...(of as object), sha256: digestOfBytes(JSON.stringify(of)).sha256 });
  const run = join(folder, "run");
  mkdirSync(run);
  return target(
    async (draws) => {
      const { next } = draws;
      write("training.json", Buffer.from(next() < 0.5 ? JSON.stringify(state) : changedJson(state, draws)));
      if (next() < 0.6) {
        // a seal that fits what was changed, too: whoever can write the file can make one
        const changedContent = next() < 0.5 ? sealed(changedTree(content, draws)) : sealed(content);
        write(
          "manifest.json",
          Buffer.from(next() < 0.6 ? JSON.stringify(changedContent) : changedJson(changedContent, draws)),
        );
      } else rmSync(write("none", Buffer.alloc(0)), { force: true });
      await refusingLater(() => checkCheckpoint(folder));
      let lines = logText(log);
      for (let changes = draws.below(4); changes > 0; changes--)
        lines = changedText(lines, draws, ["\n", "{}", '{"step":9}', "null", "\u0000"]);
      for (const name of ["metrics.jsonl", "evaluation.jsonl"]) writeFileSync(join(run, name), lines);
      await refusingLater(() => openRunRecords(run).check(3, { "metrics.jsonl": digestOfBytes(logText(log)) }));
      const opened = openRunLog(join(run, "metrics.jsonl"));
      try {
        refusing(() => {
          opened.truncate(draws.below(4));
          opened.records();
        });
      } finally {
        opened.close();
      }
    },
    { close },
  );
};
