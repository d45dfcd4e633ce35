import { expect, test } from "@jest/globals";
import { join } from "node:path";
import { openDataset, tokenizeDataset } from "../../src/data/index.ts";
import { loadTokenizer } from "../../src/text/index.ts";
import { fixtures } from "../text/reference.ts";
import { FIXTURES } from "./folder.ts";

const bpe = loadTokenizer(join(fixtures, "bpe"));

/** Made by test/fixtures/data/half.py. */
const files = ["half.arrow", "half.feather", "half.parquet", "half-dictionary.parquet"];

test.each(files)("weights in half precision are read from %s, as a mask and as a named column", async (file) => {
  const dataset = await openDataset(join(FIXTURES, file), { fields: { weights: "mine" } });
  const tokens = await tokenizeDataset(dataset, bpe);
  const tenth = 0.0999755859375;
  expect([...tokens.row(0).dataWeights!]).toEqual([0, 0.5, -0.5, tenth, 2 ** -24, 65504].map(Math.fround));
  expect([...tokens.row(1).dataWeights!]).toEqual([0, -1.5]);
  expect([...tokens.row(0).response]).toEqual([0, 1, 1, 1, 1, 1]);
  await dataset.close();
});

test.each(files)("a column of half floats is a per-token column of %s", async (file) => {
  const dataset = await openDataset(join(FIXTURES, file));
  const tokens = await tokenizeDataset(dataset, bpe);
  expect([...tokens.row(0).columns["mine"]!]).toEqual([3, 1, 2, 1, 1, 1]);
  await dataset.close();
});
