import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Table } from "../../bench/harness/table.ts";
import { rules } from "../../src/selection/catalogue.ts";

jest.setTimeout(240_000); // each benchmark starts processes one after the other

const root = join(import.meta.dirname, "../..");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bench-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const start = (...words: string[]) => spawnSync(process.execPath, words, { cwd: root, encoding: "utf8" });
const bench = (...argv: string[]) => start(join(process.env["TOKENSIFT_PROGRAMS"]!, "bench/main.js"), ...argv);
const benchFromSource = (...argv: string[]) => start("--import", "tsx", join(root, "bench/main.ts"), ...argv);

/** The columns behind those that name the case: every table has them, where they have values. */
const speed = ["side", "ms", "ms, range", "CPU ms", "peak MB"];

describe("without Python", () => {
  test.each([
    ["step", ["--profile", "--scaling"], ["batch", "vocabulary", "threads", "tokens/s", "GFLOP/s", "of peak"], 2],
    ["sstoken", [], ["batch", "threads", "tokens/s"], 3],
    ["selection", [], ["rule", "tokens/s"], rules.entries.length],
    ["generate", [], ["batch", "threads", "new tokens/s"], 1],
    ["loader", [], ["file", "cache", "rows/s", "tokens/s"], 4],
    ["ops", [], ["operation", "calls/s", "GFLOP/s", "of peak", "GB/s"], 10],
  ])("%s --quick prints a table and writes it as JSON", (name, flags, columns, rows) => {
    const json = join(folder, `${name}.json`);
    const { status, stdout, stderr } = bench(name, "--quick", "--python", "none", "--json", json, ...flags);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const record = JSON.parse(readFileSync(json, "utf8")) as { benchmark: string; tables: Table[] };
    expect(record.benchmark).toBe(name);
    const [table] = record.tables;
    expect(table!.columns.map((column) => column.name)).toEqual(expect.arrayContaining([...columns, ...speed]));
    expect(table!.rows).toHaveLength(rows);
    const place = (column: string): number => table!.columns.findIndex((each) => each.name === column);
    for (const row of table!.rows) {
      expect(row).toHaveLength(table!.columns.length);
      expect(row[place("side")]).toMatch(/^tokensift/);
      for (const column of [columns.find((each) => each.endsWith("/s"))!, "ms", "CPU ms", "peak MB"])
        expect(row[place(column)]).toBeGreaterThan(0);
    }
    expect(stdout).toContain(`npm run bench -- ${[name, "--quick", ...flags].join(" ")}\n`);
    expect(stdout).toContain("Load average:");
    expect(stdout).toContain("Without PyTorch");
    expect(stdout).toContain(table!.title);
    const printed = stdout.slice(stdout.indexOf(table!.title)).split("\n");
    expect(printed[2]).toMatch(/^\| .*side.* \|$/);
    expect(printed.filter((line) => /^\|.*tokensift/.test(line))).toHaveLength(rows);
  });
});

test("a profile accounts for the whole step", () => {
  const json = join(folder, "step.json");
  const profile = (JSON.parse(readFileSync(json, "utf8")) as { tables: Table[] }).tables[1]!;
  const shares = profile.rows.map((row) => row[2] as number);
  expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
  expect(profile.rows.map((row) => row[0])).toContain("TokensiftLinearGrad");
});

test("a benchmark or flag that is not there is a user's error, with the nearest one", () => {
  expect(bench("setp")).toMatchObject({ status: 2, stderr: expect.stringContaining("Did you mean step?") });
  expect(bench("step", "--thread", "2")).toMatchObject({ status: 2, stderr: expect.stringContaining("--threads") });
  expect(bench("ops", "--only", "linaer", "--python", "none")).toMatchObject({ status: 2 });
});

test("from its source, a Python without torch is said, with the line that installs it", () => {
  const { status, stdout } = benchFromSource("selection", "--quick", "--python", join(folder, "no-python"));
  expect(status).toBe(0);
  expect(stdout).toContain("has no torch");
  expect(stdout).toContain("pip install torch");
});
