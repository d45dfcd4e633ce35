import { afterAll, expect, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { linesOf } from "../recipes/small-run.ts";
import { fileOfCell, reproduce, tableIn, writeRealGrid } from "./real-run.ts";

const folder = mkdtempSync(join(tmpdir(), "tokensift-grid-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const output = join(folder, "grid");
const cell = (name: string, file: string): string => fileOfCell(output, name, file);

test("a grid that is stopped goes on where it was, and one cell runs alone", async () => {
  const grid = writeRealGrid(folder, output, [2]);
  const stopped = reproduce(grid, "--jobs", "1"); // the other cell is not begun
  while (linesOf(cell("rule-sstoken-s2", "metrics.jsonl")) < 1) await sleep(5);
  process.emit("SIGINT", "SIGINT");
  expect(await stopped).toEqual({ code: 130, said: expect.stringContaining("the same command goes on from here") });
  const logged = readFileSync(cell("rule-sstoken-s2", "metrics.jsonl"), "utf8").split("\n")[0]!;

  expect(await reproduce(grid, "--jobs", "2")).toEqual({ code: 0, said: expect.stringContaining("Tables are in") });
  const listed = await reproduce(grid, "--list");
  expect(listed.said.match(/ complete /g)).toHaveLength(2);
  const whole = tableIn(output);
  expect(readFileSync(cell("rule-sstoken-s2", "metrics.jsonl"), "utf8")).toContain(`${logged}\n`); // not begun anew
  expect(readFileSync(cell("rule-random-s2", "config.yaml"), "utf8")).toMatch(/method: random[^]*seed: 2/);

  rmSync(cell("rule-random-s2", ""), { recursive: true });
  expect((await reproduce(grid, "--list")).said).toMatch(/^1 {2}rule-random-s2 +missing /m);
  const again = await reproduce(grid, "--jobs", "2");
  expect(again).toEqual({ code: 0, said: expect.stringContaining("1 of 1: rule-random-s2 done") });
  expect(tableIn(output)).toBe(whole);
});
