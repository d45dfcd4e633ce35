import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { contentOf, differences, type Freedom } from "./folder-content.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "tokensift-content-"));
  const files = {
    "metrics.jsonl": '{"step":1,"loss":2}\n',
    "timing.jsonl": '{"step":1,"seconds":0.5}\n',
    "summary.json": '{"steps":1,"seconds":0.5}',
    "table.txt": "arm   loss  seconds\nmine  0.10      0.5\n",
    "report.html":
      "<dl><div><dt>Time of all</dt><dd>1 s</dd></div><div><dt>Seed</dt><dd>1</dd></div></dl><table><thead><tr><th>Arm</th>" +
      "<th>Time</th><th>Loss</th></tr></thead><tbody><tr><th>mine</th><td>1</td><td>2</td></tr></tbody></table>" +
      '<figure><svg aria-label="Memory against steps"><text>160</text></svg></figure>' +
      '<figure><svg aria-label="Loss against steps"><text>2</text></svg></figure>',
    "model/README.md": "npx tokensift train sstoken --config a.yaml\n",
    "checkpoints/step-1/fates.bin": "1",
    "checkpoints/step-2/fates.bin": "2",
  };
  for (const [name, text] of Object.entries(files)) put("one", name, text);
  cpSync(join(base, "one"), join(base, "other"), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true }));

function put(folder: string, name: string, text: string): void {
  const path = join(base, folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const compared = (freedom?: Freedom): string[] =>
  differences(contentOf(join(base, "one")), contentOf(join(base, "other")), freedom);

test("run folders that differ in times and in how they were continued are the same", () => {
  put("other", "timing.jsonl", '{"step":1,"seconds":17,"time":"today"}\n');
  put("other", "summary.json", '{"steps":1,"seconds":17}');
  put("other", "table.txt", "arm   loss  seconds\nmine  0.10       17\n");
  const page = contentOf(join(base, "one")).get("report.html");
  put(
    "other",
    "report.html",
    "<dl><div><dt>Time of all</dt><dd>9 s</dd></div><div><dt>Seed</dt><dd>1</dd></div></dl><table><thead><tr><th>Arm</th>" +
      "<th>Time</th><th>Loss</th></tr></thead><tbody><tr><th>mine</th><td>8</td><td>2</td></tr></tbody></table>" +
      '<figure><svg aria-label="Memory against steps"><text>175</text></svg></figure>' +
      '<figure><svg aria-label="Loss against steps"><text>2</text></svg></figure>',
  );
  expect(contentOf(join(base, "other")).get("report.html")).toBe(page);
  put("other", "model/README.md", "npx tokensift train sstoken --config a.yaml --resume\n");
  expect(compared()).toEqual([]);
});

test.each([
  ["metrics.jsonl", '{"step":1,"loss":3}\n'],
  ["timing.jsonl", '{"step":2,"seconds":0.5}\n'],
  ["summary.json", '{"steps":2,"seconds":0.5}'],
  ["table.txt", "arm   loss  seconds\nmine  0.11      0.5\n"],
  ["report.html", "<dl><div><dt>Time of all</dt><dd>1 s</dd></div><div><dt>Seed</dt><dd>2</dd></div></dl>"],
  ["model/README.md", "npx tokensift train sstoken --config b.yaml\n"],
  ["checkpoints/step-1/fates.bin", "3"],
])("another %s is a difference", (name, text) => {
  put("other", name, text);
  expect(compared({ savedBetween: true, lostTerminal: true })).toEqual([`${name} differs`]);
});

test("so is a file that is missing, or too many", () => {
  rmSync(join(base, "other/metrics.jsonl"));
  put("other", "model/.weights.tmp", "");
  expect(compared()).toEqual(["metrics.jsonl is missing", "model/.weights.tmp is too many"]);
});

test("checkpoints of other steps are none for a run that was asked to stop, but the newest is; a lost terminal has a log", () => {
  cpSync(join(base, "other/checkpoints/step-1"), join(base, "other/checkpoints/step-3"), { recursive: true });
  rmSync(join(base, "other/checkpoints/step-1"), { recursive: true });
  appendFileSync(join(base, "other/terminal.log"), "gone");
  expect(compared()).toHaveLength(3);
  expect(compared({ savedBetween: true, lostTerminal: true })).toEqual([]);
  rmSync(join(base, "other/checkpoints/step-2"), { recursive: true });
  expect(compared({ savedBetween: true, lostTerminal: true })).toEqual(["checkpoints/step-2/fates.bin is missing"]);
});
