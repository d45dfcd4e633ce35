import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { expectSelfContained, page } from "../report/report-page.ts";
import { recipeCases } from "./every-recipe.ts";
import { canMount, diskFull, leftovers, mountDisk, type SmallDisk } from "./small-disk.ts";
import { runHere, startHere } from "./run-here.ts";
import { changedAt, linesOf, startTrainer, whenEntries, whenGone } from "./small-run.ts";
import { wholeRun, type WholeRun } from "./whole-run.ts";

const mounts = canMount();
const large = 1 << 17;

/** Everything below a folder, with the time of its last change. */
function snapshot(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names.sort().map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

describe.each(recipeCases)(
  "the recipe $name",
  ({ name, write, results, rows, problems, plan, disturbances, goesOn }) => {
    const run = (config: string, ...flags: string[]) => runHere(name, config, ...flags);
    let base: string;
    let disk: SmallDisk | undefined;
    let whole: WholeRun;
    beforeAll(async () => {
      base = mkdtempSync(join(tmpdir(), `tokensift-${name}-`));
      whole = await wholeRun(name);
    }, 300_000);
    afterAll(() => {
      disk?.unmount();
      rmSync(base, { recursive: true });
    });

    test("ends with one table: in the terminal, in two files and on the page", () => {
      expect([whole.code, whole.code === 0 ? "" : whole.stderr]).toEqual([0, ""]);
      const found = JSON.parse(readFileSync(join(whole.output, "results.json"), "utf8")) as { rows: object[] };
      expect(found.rows.map((row) => Object.values(row)[0] as unknown)).toEqual(rows);
      expect(whole.stdout).toContain(readFileSync(join(whole.output, "table.txt"), "utf8"));
      const markup = readFileSync(join(whole.output, "report.html"), "utf8");
      expectSelfContained(markup);
      expect(
        page(markup)
          .cells("Results")
          .map(([first]) => first),
      ).toEqual(rows);
      expect(existsSync(join(whole.output, ".lock"))).toBe(false);
    });

    test("opens the files of the starting model once, whatever the arms", () => {
      expect(whole.openings ?? 1).toBe(1); // sstoken's has fresh weights; finetune/trainer.test.ts counts
    });

    test("leaves what became of every held-out problem, as the table has it", () => {
      const read = (...path: string[]): string => readFileSync(join(whole.output, ...path), "utf8");
      const table = JSON.parse(read("results.json")) as { rows: Record<string, number>[] };
      const found: unknown[] = [];
      for (const [folder, behind] of Object.entries(problems)) {
        const lines = read(folder, "problems.jsonl").trimEnd().split("\n");
        const all = lines.map((line) => JSON.parse(line) as Record<string, number>);
        const size = all.length / behind.length;
        for (const [k, cells] of behind.entries()) {
          const own = all.slice(k * size, (k + 1) * size);
          expect(own.map(({ row }) => row)).toEqual(own.map((_, i) => i)); // all held-out rows of the small runs
          const row = table.rows.find((each) =>
            cells.every((cell, c) => Object.values(each)[c] === (cell as unknown)),
          )!;
          const { exactMatch = row["greedy"] ?? row["accuracy"], passAt1 = row["sampled"], referenceProbability } = row;
          const measured = [
            [exactMatch, own.map(({ correct }) => correct)],
            [passAt1, own.map(({ samples, sampledCorrect }) => sampledCorrect && sampledCorrect / samples!)],
            [referenceProbability, own.map(({ nll }) => (nll === undefined ? undefined : Math.exp(-nll)))],
          ] as const;
          for (const [number, each] of measured) {
            if (each[0] === undefined) expect(number).toBeUndefined();
            else expect(mean(each.map((value) => value!))).toBeCloseTo(number!, 12);
          }
          expect(measured.some(([number]) => number !== undefined)).toBe(true);
          found.push(row[Object.keys(row)[0]!]);
        }
      }
      expect(rows.filter((row) => row !== "(start)")).toEqual(expect.arrayContaining(found));
      expect(found).toHaveLength(rows.filter((row) => row !== "(start)").length);
    });

    test("with --dry-run says what it would do, and writes no run", async () => {
      const { code, stdout } = await run(write(join(base, "dry")), "--dry-run");
      expect(code).toBe(0);
      for (const line of plan) expect(stdout).toMatch(line);
      expect(stdout).toMatch(/^Memory: (about|at least) .*\nNothing was written to the run folder\.\n$/m);
      expect(existsSync(join(base, "dry/out"))).toBe(false);
    });

    if (!goesOn)
      test("refuses a folder that holds a run, unless told what to do with it", async () => {
        const before = snapshot(whole.output);
        const { code, stderr } = await run(join(whole.output, "../config.yaml"));
        expect([code, stderr]).toEqual([2, expect.stringMatching(/already holds a run[^]*--resume[^]*--overwrite/)]);
        expect(snapshot(whole.output)).toEqual(before);
      });

    test("keeps the run that it is to replace where its data are refused", async () => {
      const before = snapshot(whole.output);
      const config = join(whole.output, "../config.yaml");
      const { code, stderr } = await run(config, "--overwrite", "--set", "report={ rows: [99999] }");
      expect([code, stderr]).toEqual([2, expect.stringContaining("99999")]);
      expect(snapshot(whole.output)).toEqual(before);
    });

    const last = mounts ? " and left without space" : "";
    test(`over another run, stopped at several records${last}, goes on to the same bytes`, async () => {
      if (mounts) disk = mountDisk(join(base, "disk"), large);
      const output = join(base, "disk/out");
      const config = write(join(base, "disturbed"), output);
      cpSync(whole.output, output, { recursive: true });
      let flag = "--overwrite";
      let saved: RegExp | undefined;
      for (const { signal, at, entries } of disturbances) {
        const before = changedAt(join(output, at));
        // only a process can be killed; how one takes SIGINT, finetune/trainer.test.ts shows
        const started = (signal === "SIGKILL" ? startTrainer : startHere)(name, config, flag);
        if (flag === "--overwrite") await whenGone(started, join(output, at), before);
        expect(await whenEntries(started, join(output, at), entries)).toBe(true);
        started.stop(signal);
        const ended = await started.ended;
        if (saved) expect(ended.stderr).toMatch(saved);
        saved = undefined;
        if (signal === "SIGKILL") expect(ended.signal).toBe("SIGKILL");
        else {
          const stopped =
            /Stopped after (step|iteration) (\d+) of .*; the state is saved\. Continue with --resume\.\n$/;
          expect([ended.code, ended.stderr]).toEqual([130, expect.stringMatching(stopped)]);
          const [, unit, done] = stopped.exec(ended.stderr)!;
          expect(linesOf(join(output, at))).toBe(Number(done));
          expect(existsSync(join(output, dirname(at), `checkpoints/step-${done}/training.json`))).toBe(true);
          saved = new RegExp(`continuing after ${unit} ${done}\\.`, "i");
        }
        flag = "--resume";
      }
      if (disk) {
        disk.resize(disk.used() + 64);
        const { code, stderr } = await run(config, "--resume");
        expect([code, stderr]).toEqual([2, expect.stringMatching(diskFull)]);
        expect(leftovers(readdirSync(output, { recursive: true }) as string[])).toEqual([]);
        disk.resize(large);
      }
      const { code, stderr } = await run(config, "--resume");
      expect([code, stderr]).toEqual([0, saved ? expect.stringMatching(saved) : expect.anything()]);
      expect(results(output)).toEqual(results(whole.output));
      expect(leftovers(readdirSync(output, { recursive: true }) as string[])).toEqual([]);
    }, 600_000); // several processes one after the other, on a machine that may be busy
  },
);
