import { describe, expect, test } from "@jest/globals";
import { entryNamed } from "../../src/config/catalogue.ts";
import { explain } from "../../src/config/explain-entry.ts";
import type { Catalogue } from "../../src/contract/index.ts";
import { evictionScores } from "../../src/eviction/catalogue.ts";
import { preferenceForms } from "../../src/preference/index.ts";
import { rules } from "../../src/selection/index.ts";
import { tokensift } from "./run.ts";

const catalogues: readonly Catalogue<unknown>[] = [rules, preferenceForms, evictionScores];
const entries = catalogues.flatMap(({ kind, entries }) => entries.map((entry) => ({ kind, ...entry })));

test("without a method every one is listed on a line of its own, below the title of its kind", async () => {
  const { code, out } = await tokensift("explain");
  expect(code).toBe(0);
  const lines = out.split("\n");
  for (const { title, entries } of catalogues) {
    const first = lines.indexOf(title) + 2;
    for (const [i, { name, summary }] of entries.entries())
      expect(lines[first + i]).toMatch(new RegExp(`^${name} +${summary.slice(0, 20)}`));
  }
});

describe.each(entries)("$name", (entry) => {
  test("is explained by formula, paper and every option with its default", async () => {
    const { code, out } = await tokensift("explain", entry.name);
    const text = out.replace(/\s+/g, " ");
    const { formula, paper, options } = explain(entry);
    expect(code).toBe(0);
    expect(text).toContain(formula);
    if (paper !== undefined) expect(text).toContain(paper);
    for (const option of options)
      expect(text).toContain(`${option.name} ${option.description} Default: ${option.default}.`);
  });
});

test("sstoken: presets, differences with their source, and notes", async () => {
  const text = (await tokensift("explain", "sstoken")).out.replace(/\s+/g, " ");
  expect(text).toContain("paper, released, recommended");
  const { differences, notes } = explain(entryNamed(rules, "sstoken"));
  for (const each of differences)
    for (const part of [each.what, each.paper, each.released, each.ours, each.source]) expect(text).toContain(part);
  for (const note of notes) expect(text).toContain(note);
});

test("--json is the explanation itself", async () => {
  expect(JSON.parse((await tokensift("explain", "rho1", "--json")).out)).toEqual(explain(entryNamed(rules, "rho1")));
  const list = JSON.parse((await tokensift("explain", "--json")).out) as { method: string }[];
  expect(list).toEqual(entries.map(({ kind, name, summary }) => ({ kind, method: name, summary })));
});

test("a typo gets the nearest method", async () => {
  expect(await tokensift("explain", "sstokn")).toEqual({
    code: 2,
    out: "",
    err: 'tokensift explain: there is no method "sstokn"\n  Did you mean sstoken?\n',
  });
});

test("no line is wider than 100 columns", async () => {
  const { out } = await tokensift("explain", "sstoken");
  expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});
