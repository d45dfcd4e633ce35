// RAY_ADDRESS=http://127.0.0.1:8265 npm test -- test/grid/ray      where a cluster is:
//   python3 -m venv V && V/bin/pip install "ray[default]" && V/bin/ray start --head --num-cpus 2
import { afterAll, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { reproduce, tableIn, writeRealGrid } from "./real-run.ts";

const folder = mkdtempSync(join(tmpdir(), "tokensift-ray-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const asked = process.env["RAY_ADDRESS"] === undefined ? test.skip : test;

asked(
  "jobs of Ray come to the tables of this machine's own processes",
  async () => {
    const [here, there] = [join(folder, "local"), join(folder, "ray")];
    const grid = writeRealGrid(folder, here);
    expect((await reproduce(grid, "--jobs", "2")).code).toBe(0);
    const onRay = await reproduce(grid, "--output", there, "--where", "ray");
    expect(onRay).toEqual({ code: 0, said: expect.stringContaining("4 of 4: ") });
    expect(tableIn(there)).toBe(tableIn(here));
  },
  300_000,
);
