import { describe, expect, test } from "@jest/globals";
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeArrow } from "../../../src/data/arrow/write.ts";
import { readableData, readableNote } from "../../../src/data/open-table.ts";
import { readers } from "../../../src/data/readers/index.ts";
import { UserError } from "../../../src/system/errors.ts";
import { FIXTURES, temporaryFolder } from "../folder.ts";
import { openTable, rowsFrom, wholeTable } from "../whole-table.ts";
import { userError } from "../../user-error.ts";

const folder = temporaryFolder();
const ROWS = Array.from({ length: 7 }, (_, i) => ({ prompt: `${i} + ${i} =`, response: `${2 * i} ü` }));
const TYPES = { prompt: "utf8", response: "utf8" } as const;

/** Writes `ROWS`; returns the path to open and the files that are read. Every reader has an entry. */
const samples: Readonly<Record<string, (name: string) => { path: string; files: string[] }>> = {
  Arrow(name) {
    const path = folder.path(`${name}.arrow`);
    writeArrow(path, TYPES, ROWS, { batchRows: 3 });
    return { path, files: [path] };
  },
  Parquet(name) {
    const path = folder.path(`${name}.parquet`);
    copyFileSync(join(FIXTURES, "parquet/rows.parquet"), path); // test/fixtures/data/parquet.py writes it
    return { path, files: [path] };
  },
  "JSON Lines"(name) {
    const path = folder.write(`${name}.jsonl`, ROWS.map((row) => `${JSON.stringify(row)}\n`).join(""));
    return { path, files: [path] };
  },
  CSV(name) {
    const line = (fields: readonly string[]): string => `${fields.map((field) => `"${field}"`).join(",")}\r\n`;
    const lines = [Object.keys(TYPES), ...ROWS.map(({ prompt, response }) => [prompt, response])].map(line);
    const path = folder.write(`${name}.csv`, lines.join(""));
    return { path, files: [path] };
  },
  "a Hugging Face save_to_disk folder"(name) {
    const path = folder.path(name);
    mkdirSync(path);
    const shards = ["a.arrow", "b.arrow"];
    writeArrow(join(path, shards[0]!), TYPES, ROWS.slice(0, 4));
    writeArrow(join(path, shards[1]!), TYPES, ROWS.slice(4));
    const state = { _data_files: shards.map((filename) => ({ filename })), _indices_data_files: null };
    writeFileSync(join(path, "state.json"), JSON.stringify(state));
    return { path, files: ["state.json", ...shards].map((file) => join(path, file)) };
  },
  "a dataset folder of the Hugging Face hub"(name) {
    const path = folder.path(name);
    mkdirSync(join(path, "data"), { recursive: true });
    const shards = [0, 1].map((shard) => join(path, `data/train-0000${shard}-of-00002.arrow`));
    writeArrow(shards[0]!, TYPES, ROWS.slice(0, 4));
    writeArrow(shards[1]!, TYPES, ROWS.slice(4));
    return { path, files: shards };
  },
};

function sampleOf(name: string): (file: string) => { path: string; files: string[] } {
  const sample = samples[name];
  if (sample === undefined) throw new Error(`${import.meta.filename}: give \`samples\` one of ${name}`);
  return sample;
}

/** What a file that is cut short may be refused as: of text it depends on where. */
const CUT = [
  "wrong-file-kind",
  "damaged-file",
  "invalid-json",
  "invalid-row",
  "invalid-text",
  "unsupported-file",
] as const;

const openFiles = (): number => (process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0);

/** All rows, or the UserError; anything else that is thrown fails the test. */
async function rowsOrError(path: string): Promise<unknown[] | UserError> {
  try {
    return await wholeTable(path);
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

describe.each(readers.map((reader) => ({ ...reader, sample: sampleOf(reader.name) })))("$name", (reader) => {
  const { name, extensions, markers, magic, sample } = reader;
  const id = name.replaceAll(" ", "-");

  test("is told by an ending in lower case, or by the files in a folder", () => {
    expect(extensions.length > 0).toBe(markers === undefined);
    for (const extension of extensions) expect(extension).toMatch(/^\.[a-z0-9]+$/);
  });

  test("gives the rows and their columns in order", async () => {
    const { path } = sample(`${id}-whole`);
    const table = await openTable(path);
    expect([table.length, table.columns]).toEqual([ROWS.length, ["prompt", "response"]]);
    expect(await rowsFrom(table)).toEqual(ROWS);
    expect(await table.rows(2, 3, ["response", "no such column"])).toEqual([{ response: ROWS[2]!.response }]);
    await table.close();
  });

  test("gives any part as the whole has it, in any order", async () => {
    const { path } = sample(`${id}-parts`);
    const table = await openTable(path);
    for (let from = ROWS.length - 1; from >= 0; from--) {
      for (let to = from + 1; to <= ROWS.length; to++)
        expect(await rowsFrom(table, from, to)).toEqual(ROWS.slice(from, to));
    }
    await table.close();
  });

  test("holds no file after close, and reads on when asked", async () => {
    const { path } = sample(`${id}-close`);
    const before = openFiles();
    const table = await openTable(path);
    await table.rows(0, 1, ["prompt"]);
    await table.close();
    expect(openFiles()).toBe(before);
    expect(await rowsFrom(table)).toEqual(ROWS);
    await table.close();
    await table.close();
    expect(openFiles()).toBe(before);
  });

  test("names a row's place by its file", async () => {
    const { path, files } = sample(`${id}-where`);
    const table = await openTable(path);
    expect(table.where(0)).toMatch(/, (row 0|line [12])$/);
    expect([...files, path].some((file) => table.where(6).startsWith(`${file}, `))).toBe(true);
    await table.close();
  });

  test("refuses an empty file, and one that is missing, naming it", async () => {
    const { path, files } = sample(`${id}-empty`);
    await expect(openTable(`${path}-not-there`)).rejects.toThrow(userError("missing-file", "-not-there"));
    for (const file of files) {
      const whole = readFileSync(file);
      writeFileSync(file, "");
      const before = openFiles();
      const error = await rowsOrError(path);
      expect(error).toEqual(userError(["empty-file", "invalid-json"], file));
      expect(openFiles()).toBe(before);
      writeFileSync(file, whole);
    }
  });

  test("cut short anywhere, gives its first rows or an error that names the file", async () => {
    const { path, files } = sample(`${id}-cut`);
    for (const file of files) {
      const whole = readFileSync(file);
      for (let length = 1; length < whole.length; length += 13) {
        writeFileSync(file, whole.subarray(0, length));
        const found = await rowsOrError(path);
        if (found instanceof UserError) expect(found).toEqual(userError(CUT, file));
        else expect(found).toEqual(ROWS.slice(0, found.length));
      }
      writeFileSync(file, whole);
    }
  });

  test("damaged at any byte, gives rows or an error, and holds no file", async () => {
    const { path, files } = sample(`${id}-damaged`);
    const before = openFiles();
    for (const file of files) {
      const whole = readFileSync(file);
      for (let at = 0; at < whole.length; at += 7) {
        const damaged = Buffer.from(whole);
        damaged[at] = at % 2 === 0 ? 0xff : 0x7f;
        writeFileSync(file, damaged);
        const found = await rowsOrError(path);
        if (!(found instanceof UserError)) expect(found.length).toBeLessThan(1000);
      }
      writeFileSync(file, whole);
    }
    expect(openFiles()).toBe(before);
  });

  if (magic !== undefined)
    test("is told by its first bytes where the ending says nothing", async () => {
      const { path } = sample(`${id}-magic`);
      copyFileSync(path, folder.path(`${id}.download`));
      expect(await wholeTable(folder.path(`${id}.download`))).toEqual(ROWS);
    });
});

describe("a file of no reader", () => {
  test("is refused with all that is read", async () => {
    await expect(openTable(folder.write("table.xlsx", "PK.."))).rejects.toThrow(
      userError("wrong-file-kind", /table\.xlsx: [^]*Arrow \(\.arrow, \.feather, \.ipc\), Parquet/),
    );
    for (const { name, extensions } of readers)
      await expect(openTable(folder.write("table", "PK.."))).rejects.toThrow(
        userError("wrong-file-kind", extensions.length === 0 ? name : `${name} (${extensions.join(", ")})`),
      );
  });
});

test("advice to fetch data from a hub says what is read", async () => {
  const note = readableNote();
  for (const { name, extensions } of readers) {
    expect(note).toContain(name);
    for (const extension of extensions) expect(note).toContain(extension);
  }
  await expect(openTable("openai/gsm8k")).rejects.toThrow(userError("missing-file", note));
});

test("help names every reader once", () => {
  const names = readableData().split(/, (?:or )?/);
  expect(names).toEqual(readers.map(({ name }) => name));
  expect(readableData()).toMatch(/^Arrow, Parquet, JSON Lines, CSV, .*\bor a dataset folder of the Hugging Face hub$/);
});
