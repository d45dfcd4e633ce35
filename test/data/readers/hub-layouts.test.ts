import { describe, expect, test } from "@jest/globals";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { chosenFiles } from "../../../src/data/readers/hub-folder.ts";
import { userError } from "../../user-error.ts";
import { FIXTURES, temporaryFolder } from "../folder.ts";

/** Made by hub-layouts.py with `datasets`: the files of each split by configuration, "" being what is read without one. */
interface Layout {
  title: string;
  files: string[];
  head: string | null;
  expected: Record<string, "refused" | Record<string, string[]>>;
}
const layouts = JSON.parse(readFileSync(join(FIXTURES, "hub-layouts.json"), "utf8")) as Layout[];
const temporary = temporaryFolder();

/** What `datasets` refuses, and is clear all the same. */
const READ_HERE: Record<string, string[]> = {
  "shards of a split with a dash": ["data/train-sft-00000-of-00001.parquet"],
  "a split with a dash": ["a.jsonl"],
  "two defaults/x": ["a.jsonl"],
  "two defaults/y": ["b.jsonl"],
};

function cloned({ title, files, head }: Layout): string {
  const folder = title.replaceAll(/\W+/g, "-");
  for (const name of [...files, "README.md"]) {
    mkdirSync(dirname(temporary.path(join(folder, name))), { recursive: true });
    temporary.write(join(folder, name), name === "README.md" && head !== null ? `---\n${head}\n---\n` : "{}\n");
  }
  return temporary.path(folder);
}

describe("a folder of the hub is read as datasets reads it:", () => {
  test.each(layouts.map((layout) => [layout.title, layout] as const))("%s", (title, layout) => {
    const folder = cloned(layout);
    const read = (split?: string) => chosenFiles(folder, split).map((file) => relative(folder, file));
    const entries = Object.entries(layout.expected);
    for (const [name, expected] of entries) {
      if (expected === "refused") {
        const here = READ_HERE[name === "" ? title : `${title}/${name}`];
        if (here !== undefined) expect(read(name || undefined)).toEqual(here);
        else expect(() => read(name || undefined)).toThrow(userError(["unknown-split", "damaged-file"]));
        continue;
      }
      // datasets reads a file as often as patterns fit it; here a row is read once
      for (const [split, files] of Object.entries(expected))
        expect([split, read(name === "" ? split : `${name}/${split}`)]).toEqual([split, [...new Set(files)]]);
      const stray = name === "" ? "none" : `${name}/none`;
      expect(() => read(stray)).toThrow(userError("unknown-split"));
    }
  });

  test("which are more than fifty layouts", () => expect(layouts.length).toBeGreaterThan(50));
});
