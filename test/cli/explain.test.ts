import { describe, expect, test } from "@jest/globals";
import { entryNamed } from "../../src/config/catalogue.ts";
import { explain } from "../../src/config/explain-entry.ts";
import type { Catalogue } from "../../src/contract/index.ts";
import { evictionScores } from "../../src/eviction/catalogue.ts";
import { preferenceForms } from "../../src/preference/index.ts";
import { rewards } from "../../src/reward/catalogue.ts";
import { rules } from "../../src/selection/index.ts";
import { temporaryFolder, tokensift } from "./run.ts";

const catalogues: readonly Catalogue<unknown>[] = [rules, preferenceForms, evictionScores, rewards];
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

describe("a file of the user's own", () => {
  const folder = temporaryFolder();
  const score = '{ name: "unsure", needs: ["entropy"], score: (tokens) => tokens.signals.entropy }';
  const rule = `{ name: "mine", needs: ["entropy"], scope: "step", divideBy: "kept", weigh: () => new Float32Array() }`;

  test("is explained by what it exports, as an entry is", async () => {
    const path = folder.write(
      "my-rule.mjs",
      `export const summary = "Keeps what is unsure.";
       export const formula = "keep H > c";
       export const paper = "https://example.org/unsure";
       export const options = { ratio: { type: "number", default: 0.3, description: "Share kept." }, bare: { default: 1 } };
       export const createRule = () => (${rule});`,
    );
    const { code, out, err } = await tokensift("explain", path);
    expect([code, err]).toEqual([0, ""]);
    const text = out.replace(/\s+/g, " ");
    for (const part of [
      "my-rule: Keeps what is unsure.",
      "keep H > c",
      "https://example.org/unsure",
      "It reads entropy.",
    ])
      expect(text).toContain(part);
    expect(text).toContain("ratio Share kept. Default: 0.3.");
    expect(JSON.parse((await tokensift("explain", path, "--json")).out)).toMatchObject({ method: "my-rule" });
  });

  test.each([
    ["rule.mjs", `export const rule = ${rule};`, ["a rule of your own", "reads entropy", "It has no options."]],
    ["create.mjs", `export const createRule = () => (${rule});`, ["a rule of your own", "Its options are not said"]],
    [
      "form.mjs",
      "export const createObjective = ({ must }) => must.be;",
      ["a form of your own", "Its options are not said"],
    ],
    ["score.mjs", `export const score = ${score};`, ["a score of your own"]],
    ["reward.mjs", "export const reward = (question, response) => response.length;", ["a reward of your own"]],
  ])("that says nothing of itself, %s, is told by its kind and what it reads", async (name, content, parts) => {
    const { code, out, err } = await tokensift("explain", folder.write(name, content));
    expect([code, err]).toEqual([0, ""]);
    for (const part of parts) expect(out.replace(/\s+/g, " ")).toContain(part);
  });

  test("is refused with one message where it is none", async () => {
    const none = await tokensift("explain", folder.write("none.mjs", "export const other = 1;"));
    expect([none.code, none.out]).toEqual([2, ""]);
    expect(none.err).toMatch(
      /none\.mjs: the module exports no rule, form, score or reward\n {2}Export one of them: `rule` or `createRule`, /,
    );
    expect(await tokensift("explain", folder.path("nowhere.mjs"))).toMatchObject({
      code: 2,
      err: expect.stringMatching(/nowhere\.mjs: There is no such file\.\n$/),
    });
    const broken = await tokensift("explain", folder.write("broken.mjs", "export const = ;"));
    expect([broken.code, broken.err]).toEqual([2, expect.stringContaining("The module cannot be loaded")]);
    expect(broken.err).not.toMatch(/\n +at /);
  });
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
