import { jest } from "@jest/globals";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runGrid } from "../../src/grid/run-grid.ts";
import { writeRecipe } from "../recipes/small-run.ts";

/** Two rules with each seed, two steps each, on a model of width 32, in a folder; cells and tables go to `output`. */
export function writeRealGrid(folder: string, output: string, seeds: readonly number[] = [1, 2]): string {
  writeRecipe(folder);
  const grid = {
    ...{ recipe: "sstoken", base: "config.yaml", seeds, metrics: ["loss"], output },
    set: {
      ...{ "training.steps": 2, "training.saveEvery": 1, "training.evaluateEvery": 0 },
      ...{ "data.limit": 16, "data.validationLimit": 2 },
      ...{ "evaluation.generate": false, "evaluation.samples": 0 },
    },
    axes: { rule: { "selection.method": ["sstoken", "random"] } },
  };
  const file = join(folder, "grid.yaml");
  writeFileSync(file, JSON.stringify(grid));
  return file;
}

/** What the command line of a grid does in this process, its cells in others: exit code, and what it says. */
export async function reproduce(...argv: string[]): Promise<{ code: number; said: string }> {
  let said = "";
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, "write").mockImplementation((text) => {
      said += String(text);
      return true;
    }),
  );
  const program = join(process.env["TOKENSIFT_PROGRAMS"]!, "trainers/reproduce.js");
  try {
    return { code: await runGrid(argv, { program }), said };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** The table without what a clock or the system says. */
export function tableIn(output: string): string {
  return readFileSync(join(output, "table.md"), "utf8").replaceAll(/\| [^|]* \| [^|]* MB \|$/gm, "|");
}

/** A file of a cell's run folder; empty where there is no such cell yet. */
export function fileOfCell(output: string, name: string, file: string): string {
  const cells = join(output, "cells");
  const found = (existsSync(cells) ? readdirSync(cells) : []).find((entry) => entry.endsWith(`-${name}`));
  return found === undefined ? "" : join(cells, found, file);
}
