import { expect, test } from "@jest/globals";
import { catalogue, explain } from "../../src/selection/index.ts";
import { tokensift } from "./run.ts";

const names = Object.keys(catalogue);

test("without a method every rule is listed on a line of its own", async () => {
  const { code, out } = await tokensift("explain");
  expect(code).toBe(0);
  for (const name of names) expect(out).toMatch(new RegExp(`^${name} +${catalogue[name]!.summary.slice(0, 20)}`, "m"));
});

test.each(names)("%s: formula, paper and every option with its default are shown", async (name) => {
  const { code, out } = await tokensift("explain", name);
  const text = out.replace(/\s+/g, " ");
  const { formula, paper, options } = explain(name);
  expect(code).toBe(0);
  expect(text).toContain(formula);
  if (paper !== undefined) expect(text).toContain(paper);
  for (const option of options)
    expect(text).toContain(`${option.name} ${option.description} Default: ${option.default}.`);
});

test("sstoken: presets, differences with their source, and notes", async () => {
  const text = (await tokensift("explain", "sstoken")).out.replace(/\s+/g, " ");
  expect(text).toContain("paper, released, recommended");
  const { differences, notes } = explain("sstoken");
  for (const each of differences)
    for (const part of [each.what, each.paper, each.released, each.ours, each.source]) expect(text).toContain(part);
  for (const note of notes) expect(text).toContain(note);
});

test("--json is the explanation itself", async () => {
  expect(JSON.parse((await tokensift("explain", "rho1", "--json")).out)).toEqual(explain("rho1"));
  const list = JSON.parse((await tokensift("explain", "--json")).out) as { method: string }[];
  expect(list.map(({ method }) => method)).toEqual(names);
});

test("a typo gets the nearest rule", async () => {
  expect(await tokensift("explain", "sstokn")).toEqual({
    code: 2,
    out: "",
    err: 'tokensift explain: there is no rule "sstokn"\n  Did you mean sstoken?\n',
  });
});

test("no line is wider than 100 columns", async () => {
  const { out } = await tokensift("explain", "sstoken");
  expect(Math.max(...out.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
});
