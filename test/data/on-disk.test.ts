import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { fromRows, makeBatch, tokenizeDataset } from "../../src/data/index.ts";
import { type TokenizeOptions } from "../../src/data/tokens.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { stream } from "../../src/system/random.ts";
import { userError } from "../user-error.ts";
import { canMount, mountDisk } from "../recipes/small-disk.ts";
import { flat } from "./flat-tokens.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();
const tokenizer = loadTokenizer(join(import.meta.dirname, "../../models/tiny"));
const memory = 600; // bytes: a few rows

/** Pre-tokenized rows of 2 to 40 tokens with a column; from row `weightsFrom` on with weights of the data. */
function randomRows(seed: number, weightsFrom: number): Record<string, number[]>[] {
  const random = stream("on disk", seed);
  return Array.from({ length: 60 }, (_, row) => {
    const length = 2 + random.below(39);
    const list = (one: (t: number) => number): number[] => Array.from({ length }, (_, t) => one(t));
    return {
      input_ids: list(() => 4 + random.below(50)),
      response_mask: list((t) => (t === length - 1 ? 1 : row >= weightsFrom ? random.below(9) / 4 : random.below(2))),
      noise: list(() => random.below(100) / 8),
    };
  });
}

describe("tokens of more bytes than are held in memory", () => {
  test.each([
    ["without weights", 60],
    ["with weights", 0],
    ["with weights from a late row on", 41],
  ])("are what they are in memory, made or from the cache, %s", async (name, weightsFrom) => {
    const rows = randomRows(weightsFrom, weightsFrom);
    const given = (options: TokenizeOptions) => tokenizeDataset(fromRows(rows), tokenizer, options);
    const expected = await given({});
    const cacheFolder = folder.path(name);
    const made = await given({ cacheFolder, memory });
    expect(flat(made)).toEqual({ ...flat(expected), row: expect.anything(), lengthOf: expect.anything() });
    const again = await given({ cacheFolder, memory });
    const whole = await given({ cacheFolder });
    const order = [59, 3, 4, 5, 0, 41, 40, 39];
    for (const tokens of [made, again, whole]) expect(makeBatch(tokens, order)).toEqual(makeBatch(expected, order));
    expect(readdirSync(cacheFolder)).toHaveLength(1);
  });

  test("are held in memory where no file can be written, which is said once", async () => {
    const notices: string[] = [];
    const cacheFolder = folder.write("a-file", "");
    const rows = randomRows(7, 60);
    const options = { cacheFolder, memory, onNotice: (notice: string) => notices.push(notice) };
    const tokens = await tokenizeDataset(fromRows(rows), tokenizer, options);
    expect(flat(tokens).ids).toEqual(flat(await tokenizeDataset(fromRows(rows), tokenizer)).ids);
    expect(notices.filter((notice) => notice.includes("nothing was cached"))).toHaveLength(1);
  });

  const onSmallDisk = canMount() ? test : test.skip;
  onSmallDisk("fill the disk up with one message, and leave nothing", async () => {
    const disk = mountDisk(folder.path("disk"), 8);
    try {
      const run = tokenizeDataset(fromRows(randomRows(9, 60)), tokenizer, { cacheFolder: disk.path, memory });
      await expect(run).rejects.toThrow(userError("disk-full", "tokens-"));
      expect(readdirSync(disk.path)).toEqual([]);
    } finally {
      disk.unmount();
    }
  });

  test("leave no file behind where a row ends the reading", async () => {
    const rows = [...randomRows(8, 60), { input_ids: [4, 5], response_mask: [0, 1], noise: [1] }];
    const cacheFolder = folder.path("ended");
    const run = tokenizeDataset(fromRows([...rows, { ...rows[0]!, noise: [1, 2, 3, 4, 5] }]), tokenizer, {
      cacheFolder,
      memory,
    });
    await expect(run).rejects.toThrow(userError("misaligned-column", "row 61"));
    expect(readdirSync(cacheFolder)).toEqual([]);
  });
});
