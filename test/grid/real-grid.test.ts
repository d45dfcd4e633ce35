import { afterAll, expect, jest, test } from "@jest/globals";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runGrid } from "../../src/grid/run-grid.ts";
import { linesOf, writeRecipe } from "../recipes/small-run.ts";

const folder = mkdtempSync(join(tmpdir(), "tokensift-grid-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const output = join(folder, "grid");
const program = join(process.env["TOKENSIFT_PROGRAMS"]!, "trainers/reproduce.js");

/** Two rules with two seeds, two or three steps each, on a model of width 32. */
function writeGrid(): string {
  writeRecipe(folder);
  const grid = {
    ...{ recipe: "sstoken", base: "config.yaml", seeds: [1, 2], metrics: ["loss"], output },
    set: { "training.steps": 2, "training.saveEvery": 1, "training.evaluateEvery": 0 },
    axes: { rule: { "selection.method": ["sstoken", "random"] } },
  };
  writeFileSync(join(folder, "grid.yaml"), JSON.stringify(grid));
  return join(folder, "grid.yaml");
}

/** Exit code and what was said. */
async function run(...argv: string[]): Promise<{ code: number; said: string }> {
  let said = "";
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, "write").mockImplementation((text) => {
      said += String(text);
      return true;
    }),
  );
  try {
    return { code: await runGrid(argv, { program }), said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** A table without what a clock or the system says. */
const table = (): string =>
  readFileSync(join(output, "table.md"), "utf8").replaceAll(/\| [^|]* \| [^|]* MB \|$/gm, "|");

const cell = (name: string, file: string): string => {
  const cells = join(output, "cells");
  const found = (existsSync(cells) ? readdirSync(cells) : []).find((entry) => entry.endsWith(`-${name}`));
  return found === undefined ? "" : join(output, "cells", found, file);
};

test("a grid that is stopped goes on where it was, and one cell runs alone", async () => {
  const grid = writeGrid();
  const stopped = run(grid, "--jobs", "2");
  while (!existsSync(cell("rule-sstoken-s1", "")) || linesOf(cell("rule-sstoken-s1", "metrics.jsonl")) < 1)
    await sleep(5);
  process.emit("SIGINT", "SIGINT");
  expect(await stopped).toEqual({ code: 130, said: expect.stringContaining("the same command goes on from here") });
  const logged = readFileSync(cell("rule-sstoken-s1", "metrics.jsonl"), "utf8").split("\n")[0]!;

  expect(await run(grid, "--jobs", "2")).toEqual({ code: 0, said: expect.stringContaining("Tables are in") });
  const listed = await run(grid, "--list");
  expect(listed.said.match(/ complete /g)).toHaveLength(4);
  const whole = table();
  expect(readFileSync(cell("rule-sstoken-s1", "metrics.jsonl"), "utf8")).toContain(`${logged}\n`); // not begun anew
  expect(readFileSync(cell("rule-random-s2", "config.yaml"), "utf8")).toMatch(/method: random[^]*seed: 2/);

  const alone = cell("rule-random-s2", "");
  rmSync(alone, { recursive: true });
  expect((await run(grid, "--list")).said).toMatch(/^3 {2}rule-random-s2 +missing /m);
  expect(await run(grid, "--jobs", "2")).toEqual({
    code: 0,
    said: expect.stringContaining("1 of 1: rule-random-s2 done"),
  });
  expect(table()).toBe(whole);
});
