import { describe, expect, test } from "@jest/globals";
import { mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { openDataset } from "../../../src/data/open-dataset.ts";
import { temporaryFolder } from "../folder.ts";
import { userError } from "../../user-error.ts";

const temporary = temporaryFolder();
let made = 0;

/** A folder with a README of this head and files that hold one row each, whose text is the file's name. */
function repository(head: string | undefined, files: readonly string[]): string {
  const folder = `repository-${made++}`;
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(temporary.path(join(folder, name))), { recursive: true });
    temporary.write(join(folder, name), text);
  };
  if (head === undefined) write(".gitattributes", "*.parquet filter=lfs\n");
  else write("README.md", `---\nlicense: mit\n${head}\ntags:\n- x\n---\n\n# Data\nconfigs: none\n`);
  for (const name of files)
    write(name, name.endsWith(".csv") ? `text\n${name}\n` : `${JSON.stringify({ text: name })}\n`);
  return temporary.path(folder);
}

async function texts(folder: string, split?: string): Promise<string[]> {
  const dataset = await openDataset(folder, split === undefined ? {} : { split });
  const found: string[] = [];
  for await (const { response } of dataset.rows()) found.push(response!);
  await dataset.close();
  return found;
}

const TWO = `configs:
- config_name: main
  data_files:
  - split: train
    path: main/train-*
  - split: test
    path: [main/test-1.jsonl, "main/test-2.jsonl"]
- config_name: socratic
  data_files:
  - split: train
    path: socratic/train-*`;
const FILES = [
  "main/train-2.jsonl",
  "main/train-1.jsonl",
  "main/test-1.jsonl",
  "main/test-2.jsonl",
  "socratic/train-1.jsonl",
];

describe("the head of README.md", () => {
  test("names the files of a split, in the order of their names, and the configuration", async () => {
    const folder = repository(TWO, FILES);
    expect(await texts(folder, "main/train")).toEqual(["main/train-1.jsonl", "main/train-2.jsonl"]);
    expect(await texts(folder, "main/test")).toEqual(["main/test-1.jsonl", "main/test-2.jsonl"]);
    expect(await texts(folder, "socratic")).toEqual(["socratic/train-1.jsonl"]);
    await expect(texts(folder)).rejects.toThrow(
      userError("unknown-split", /README\.md[^]*main\/train, main\/test, socratic\/train/),
    );
    await expect(texts(folder, "main/dev")).rejects.toThrow(userError("unknown-split", /dev[^]*train, test/));
  });

  test("makes one configuration the usual one", async () => {
    const folder = repository(TWO.replace("config_name: main", "config_name: main\n  default: true"), FILES);
    expect(await texts(folder)).toEqual(["main/train-1.jsonl", "main/train-2.jsonl"]);
    expect(await texts(folder, "test")).toHaveLength(2);
  });

  test("gives files without splits, and a folder of them", async () => {
    const files = ["a.csv", "more/test.jsonl", "more/train.jsonl", "more/notes.txt"];
    expect(await texts(repository("configs:\n- config_name: default\n  data_files: a.csv", files))).toEqual(["a.csv"]);
    const folder = repository("configs:\n- config_name: default\n  data_dir: more", files);
    expect(await texts(folder)).toEqual(["more/train.jsonl"]);
    expect(await texts(folder, "test")).toEqual(["more/test.jsonl"]);
  });

  test("needs the files of the chosen split alone, be the others missing or pointers", async () => {
    const folder = repository(TWO, FILES.slice(0, 2));
    expect(await texts(folder, "main/train")).toHaveLength(2);
    await expect(texts(folder, "main/test")).rejects.toThrow(userError("missing-file", "main/test-1.jsonl"));
    await expect(texts(folder, "socratic/train")).rejects.toThrow(userError("missing-file", '"train"'));
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12345\n";
    temporary.write(join(folder.slice(temporary.path("").length), "main/test-1.jsonl"), pointer);
    expect(await texts(folder, "main/train")).toHaveLength(2);
  });

  test("names data beside other files, by a pattern", async () => {
    const files = ["data/a.jsonl", "data/notes.html", "data/LICENSE"];
    expect(await texts(repository('configs:\n- config_name: default\n  data_files: "data/*"', files))).toEqual([
      "data/a.jsonl",
    ]);
  });

  test.each([
    ["outside the folder", "configs:\n- data_files: ../secret.jsonl", "invalid-file-name"],
    ["elsewhere", 'configs:\n- data_files: "https://example.org/a.jsonl"', "invalid-file-name"],
    ["that are not there", "configs:\n- data_files: data/*.parquet", "missing-file"],
    ["by a pattern that takes for ever", `configs:\n- data_files: "${"a*".repeat(40)}"`, "invalid-file-name"],
    ["in no known way", "configs:\n- data_files:\n  - split: 3", "damaged-file"],
    ["in no YAML", "configs: [", "invalid-yaml"],
  ] as const)("is refused where it names files %s", async (_, head, code) => {
    await expect(texts(repository(head, ["a.jsonl"]))).rejects.toThrow(userError(code, "README.md"));
  });
});

describe("without one, names tell the split", () => {
  test("of shards as push_to_hub names them", async () => {
    const folder = repository(undefined, [
      "data/train_sft-00001-of-00002.jsonl",
      "data/train_sft-00000-of-00002.jsonl",
      "data/test_sft-00000-of-00001.jsonl",
    ]);
    expect(await texts(folder, "train_sft")).toEqual([
      "data/train_sft-00000-of-00002.jsonl",
      "data/train_sft-00001-of-00002.jsonl",
    ]);
    await expect(texts(folder)).rejects.toThrow(userError("unknown-split", /test_sft, train_sft/));
  });

  test("of files and of folders, and all are train where no name says more", async () => {
    const files = ["dev.jsonl", "my-train.jsonl.v2.csv", "dataset_infos.json"];
    expect(await texts(repository(undefined, files))).toEqual(["my-train.jsonl.v2.csv"]);
    expect(await texts(repository("a: b", files), "validation")).toEqual(["dev.jsonl"]);
    expect(await texts(repository("a: b", ["test/1.jsonl", "training/1.jsonl"]))).toEqual(["training/1.jsonl"]);
    expect(await texts(repository("a: b", ["b.jsonl", "a.csv", "restrained.jsonl"]))).toEqual([
      "a.csv",
      "b.jsonl",
      "restrained.jsonl",
    ]);
  });

  test("also of files that are links, as the hub's cache has them", async () => {
    const folder = repository("a: b", []);
    const target = temporary.write("blob", `${JSON.stringify({ text: "linked" })}\n`);
    symlinkSync(target, join(folder, "train.jsonl"));
    expect(await texts(folder)).toEqual(["linked"]);
  });

  test("and a folder without data is refused", async () => {
    await expect(texts(repository("a: b", ["notes.txt"]))).rejects.toThrow(userError("missing-file", "repository"));
  });
});

test("a pointer of Git LFS is named as what it is, with the command that fetches the data", async () => {
  const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12345\n";
  const refusal = userError("unsupported-file", /Git LFS[^]*`git lfs pull`/);
  for (const name of ["train.parquet", "data.arrow", "data.jsonl", "data"])
    await expect(openDataset(temporary.write(name, pointer))).rejects.toThrow(refusal);
  const folder = repository("a: b", []);
  temporary.write(join(folder.slice(temporary.path("").length), "train-1.parquet"), pointer);
  await expect(texts(folder)).rejects.toThrow(refusal);
});

describe("a pattern in place of a path", () => {
  test("names files in order, and lists may have several", async () => {
    const folder = repository("a: b", ["x/2.jsonl", "x/1.jsonl", "x/y/3.csv", "[odd].jsonl"]);
    expect(await texts(join(folder, "x/*.jsonl"))).toEqual(["x/1.jsonl", "x/2.jsonl"]);
    expect(await texts(join(folder, "**/*.{csv,jsonl}"))).toHaveLength(4);
    expect(await texts(join(folder, "[odd].jsonl"))).toEqual(["[odd].jsonl"]);
    const several = await openDataset([join(folder, "x/y/*.csv"), join(folder, "x/?.jsonl")]);
    expect([several.length, several.name.split(", ").length]).toEqual([3, 3]);
    await several.close();
  });

  test("that no file fits is refused", async () => {
    await expect(openDataset(temporary.path("none-*.jsonl"))).rejects.toThrow(
      userError("missing-file", "none-*.jsonl"),
    );
  });
});
