// SLURM=1 npm test -- test/grid/slurm      where sbatch is; scripts/setup-slurm.sh starts it on this machine
import { afterAll, expect, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reproduce, tableIn, writeRealGrid } from "./real-run.ts";

const folder = mkdtempSync(join(tmpdir(), "tokensift-slurm-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const asked = process.env["SLURM"] === undefined ? test.skip : test;

asked(
  "an array of Slurm comes to the tables of this machine's own processes",
  async () => {
    const grid = writeRealGrid(folder, join(folder, "local"));
    const [here, there] = [join(folder, "local"), join(folder, "slurm")];
    expect((await reproduce(grid, "--jobs", "2")).code).toBe(0);
    const submitted = await reproduce(
      grid,
      "--output",
      there,
      "--where",
      "slurm",
      "--jobs",
      "2",
      "--",
      "--wait",
      "--time=10",
    );
    expect(submitted).toEqual({ code: 0, said: expect.stringMatching(/Submitted as job \d+/) });
    expect(readFileSync(join(there, "cells.sbatch"), "utf8")).toContain("--array=0-3%2");
    expect((await reproduce(grid, "--output", there, "--collect")).code).toBe(0);
    expect(tableIn(there)).toBe(tableIn(here));
  },
  300_000,
);
