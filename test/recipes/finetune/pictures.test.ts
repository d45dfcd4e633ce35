import { expect, test } from "@jest/globals";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startPictures } from "../../../src/recipes/finetune/pictures.ts";
import { openRunFolder } from "../../../src/training/run-folder.ts";
import { temporaryFolder } from "../../data/folder.ts";
import { userError } from "../../user-error.ts";

const folder = temporaryFolder();

test("a run that goes on without the losses from before its first step cannot say whose loss has changed", async () => {
  const path = folder.path("run");
  using run = openRunFolder(path, "new");
  const inputs = { tokens: { rowIds: Float64Array.of(3, 7) } };
  const start = (rows: unknown) =>
    startPictures({ config: { report: { rows } }, inputs, run } as never, { state: { step: 2 } } as never);
  const refusal = userError("run-changed", "losses-before.json");
  await expect(start("changed")).rejects.toThrow(refusal);
  for (const content of ["{", "[]", '{"rowIds":[3]}', '{"rowIds":[3,4],"losses":[1,2]}', '{"rowIds":[],"losses":[]}']) {
    writeFileSync(join(path, "losses-before.json"), content);
    await expect(start("changed")).rejects.toThrow(refusal);
  }
  await start("worst");
  await start([3]);
  writeFileSync(join(path, "losses-before.json"), '{"rowIds":[7,3],"losses":[1,null]}');
  await start("changed");
  expect(Object.keys(run.records.digests())).toContain("losses-before.json");
});
