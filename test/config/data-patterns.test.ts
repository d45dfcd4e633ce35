import { expect, test } from "@jest/globals";
import { resolvePaths } from "../../src/config/paths.ts";
import { dataGroup } from "../../src/config/groups.ts";
import { temporaryFolder } from "../data/folder.ts";

const folder = temporaryFolder();

test("a configuration may name data by a pattern, if a file fits it", () => {
  folder.write("a-1.jsonl", "{}");
  const check = (train: string) => resolvePaths(dataGroup, { train }, ["data"], { folderOf: () => folder.path(".") });
  expect(check("a-*.jsonl")).toEqual([]);
  expect(check("b-*.jsonl")).toMatchObject([{ path: ["data", "train"] }]);
});
