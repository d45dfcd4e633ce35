import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { orealResults, writeOreal } from "./small-run.ts";
import { expectSelfContained, page } from "../../report/report-page.ts";
import { linesOf, startTrainer, whenLines } from "../small-run.ts";

const run = (config: string, ...flags: string[]) => startTrainer("oreal", config, ...flags).ended;

let base: string;
let whole: string;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-oreal-recipe-"));
  const ended = await run(writeOreal(join(base, "whole")));
  expect(ended).toMatchObject({ code: 0 });
  expect(ended.stdout).toMatch(/arm +greedy +sampled[^]*\(start\)[^]*oreal[^]*rloo[^]*The run is in /);
  whole = join(base, "whole/out");
}, 120_000);
afterAll(() => rmSync(base, { recursive: true }));

describe("the OREAL recipe", () => {
  test("leaves the table in the run folder too", () => {
    const { rows } = JSON.parse(readFileSync(join(whole, "results.json"), "utf8")) as { rows: { name: string }[] };
    expect(rows.map(({ name }) => name)).toEqual(["(start)", "oreal", "rloo"]);
    expect(readFileSync(join(whole, "table.txt"), "utf8")).toMatch(/^rloo +\d\.\d{3} +\d\.\d{3} +3 +72 /m);
  });

  test("ends with a report of the same numbers, and responses under their token weights", () => {
    const markup = readFileSync(join(whole, "report.html"), "utf8");
    expectSelfContained(markup);
    const { cells, section } = page(markup);
    const results = JSON.parse(readFileSync(join(whole, "results.json"), "utf8")) as {
      rows: { name: string; responses: number; exactMatch: number }[];
    };
    expect(cells("Results").map((row) => [row[0], row[1], row[4]])).toEqual(
      results.rows.map(({ name, exactMatch, responses }) => [
        name,
        `${(100 * exactMatch).toFixed(1)} %`,
        String(responses),
      ]),
    );
    const { rows } = JSON.parse(readFileSync(join(whole, "tokens.json"), "utf8")) as { rows: unknown[] };
    const figures = section("Answers and their token weights")?.querySelectorAll("h3, figure.row") ?? [];
    expect(figures.length).toBe(rows.length > 0 ? 1 + rows.length : 0);
  });

  test("killed in its first arm and interrupted in its second, goes on to the same bytes", async () => {
    const config = writeOreal(join(base, "killed"));
    const output = join(base, "killed/out");
    const first = startTrainer("oreal", config);
    expect(await whenLines(first, join(output, "metrics.jsonl"), 2)).toBe(true);
    first.child.kill("SIGKILL");
    expect((await first.ended).signal).toBe("SIGKILL");

    const second = startTrainer("oreal", config, "--resume");
    const log = join(output, "rloo/metrics.jsonl");
    expect(await whenLines(second, log, 1)).toBe(true);
    second.child.kill("SIGINT");
    const { code, stderr } = await second.ended;
    expect(code).toBe(130);
    const stopped = Number(
      /Stopped after iteration (\d) of 3; the state is saved. Continue with --resume./.exec(stderr)?.[1],
    );
    expect(linesOf(log)).toBe(stopped);
    expect(existsSync(join(output, `rloo/checkpoints/step-${stopped}/training.json`))).toBe(true);

    const third = await run(config, "--resume");
    expect(third.stderr).toContain("oreal is complete.");
    expect(third.stderr).toContain(`Continuing after iteration ${stopped}.`);
    for (const arm of ["", "rloo"]) expect(orealResults(join(output, arm))).toEqual(orealResults(join(whole, arm)));
  }, 300_000);

  test("refuses to go on under other settings, and names each", async () => {
    const changes = ["--set", "objective.keep=pair", "--set", "sampling.samples=3"];
    const { code, stderr } = await run(join(base, "whole/config.yaml"), "--resume", ...changes);
    expect(code).toBe(2);
    expect(stderr).toMatch(/objective\.keep was "?all"? and is now "?pair"?/);
    expect(stderr).toMatch(/sampling.samples was 4 and is now 3/);
    expect(stderr).not.toContain("    at ");
  });

  test("with --dry-run says what it would do, and writes no run", async () => {
    const config = writeOreal(join(base, "dry"));
    const { code, stdout } = await run(config, "--dry-run");
    expect(code).toBe(0);
    expect(stdout).toMatch(/Questions: 24, held-out problems: 4/);
    expect(stdout).toMatch(/Each iteration: 6 questions x 4 responses of at most 40 tokens/);
    expect(stdout).toMatch(/oreal: 3 iterations, 1 of them without the policy\n {2}rloo: 3 iterations\n/);
    expect(existsSync(join(base, "dry/out"))).toBe(false);
  });

  test("says in one message that a model or rows to learn from are missing", async () => {
    const config = writeOreal(join(base, "wrong"));
    const { code, stderr } = await run(config, "--set", "model=nowhere");
    expect(code).toBe(2);
    expect(stderr).toMatch(/model .*nowhere/);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
