import { expect, test } from "@jest/globals";
import { join } from "node:path";
import { openDataset } from "../../../src/data/open-dataset.ts";
import { userError } from "../../user-error.ts";
import { FIXTURES } from "../folder.ts";

// test/fixtures/data/sequence.py writes them: datasets keeps a Sequence of structs as a struct of lists
test.each([
  ["sequence.parquet", undefined, [0, 1, 2]],
  ["saved/sequence", "train_sft", [0, 1, 2]],
  ["saved/sequence", "test_sft", [2]],
])("conversations of %s, split %s, are read", async (name, split, numbers) => {
  const dataset = await openDataset(join(FIXTURES, name), split === undefined ? {} : { split });
  const found: unknown[] = [];
  for await (const { messages } of dataset.rows()) found.push(messages);
  await dataset.close();
  expect(dataset.columns).toEqual(["messages", "answer"]);
  expect(found).toEqual(
    numbers.map((i) => [
      { role: "user", content: "hi" },
      { role: "assistant", content: `hello ${i}` },
    ]),
  );
});

test("a folder whose splits have other names than train needs one of them", async () => {
  await expect(openDataset(join(FIXTURES, "saved/sequence"))).rejects.toThrow(
    userError("unknown-split", /train_sft, test_sft/),
  );
});
