import { describe, expect, test } from "@jest/globals";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compareRuns } from "../../src/grid/side-by-side/compare-runs.ts";
import { comparisonPage, overSeeds, verdictOf } from "../../src/grid/side-by-side/page.ts";
import { tokensift } from "../cli/run.ts";
import { temporaryFolder } from "../data/folder.ts";
import { expectSelfContained, page } from "../report/report-page.ts";
import { userError } from "../user-error.ts";
import { writeRun } from "./small-grid.ts";

const folder = temporaryFolder();
let made = 0;

/** A run of ssToken with an arm `full`, on four problems whose losses lie around the arm's. */
function runOf(
  seed: number,
  losses: { sstoken: number; full: number },
  selection: object = { ratio: 0.9 },
  validation = "held-out.arrow",
): string {
  const path = folder.path(`run-${made++}`);
  const write = (at: string, name: "sstoken" | "full", method: object): void => {
    const rowLosses = [0, 1, 2, 3].map((i) => losses[name] + i / 10 + seed / 100);
    writeRun(at, { loss: losses[name] + 0.15 + seed / 100, rowLosses, rowTokens: [2, 2, 2, 2] });
    writeFileSync(join(at, "summary.json"), JSON.stringify({ name, method: name, seconds: 3 }));
    const config = {
      model: "m",
      data: { cache: `c${made}`, validation },
      selection: method,
      training: { seed },
      output: at,
    };
    writeFileSync(join(at, "config.yaml"), JSON.stringify({ ...config, compare: name === "full" ? [] : ["full"] }));
  };
  write(path, "sstoken", { method: "sstoken", ...selection });
  write(join(path, "full"), "full", { method: "full" });
  return path;
}

describe("runs side by side", () => {
  const losses = { sstoken: 1, full: 1.5 };

  test("are arms with their seeds, and a clear difference is told in words", () => {
    const runs = [1, 2, 3, 4].map((seed) => runOf(seed, { sstoken: 1 - seed / 50, full: 1.5 }));
    const { arms, metrics, comparisons } = compareRuns(runs);
    expect(arms.map(({ arm, outcomes }) => [arm.name, outcomes.map(({ cell }) => cell.seed)])).toEqual([
      ["sstoken", [1, 2, 3, 4]],
      ["full", [1, 2, 3, 4]],
    ]);
    expect(metrics).toContain("loss");
    const [loss] = comparisons;
    expect(loss!.interval.difference).toBeCloseTo(-0.55, 10); // -.5 less the mean of 1/50 .. 4/50
    expect([loss!.seeds, loss!.problems, loss!.verdict]).toEqual([4, 4, "better"]);
    expect(verdictOf(comparisons, arms, metrics)).toMatch(/^sstoken is better than full by loss/);
    const markup = comparisonPage(runs, arms, metrics, comparisons);
    expectSelfContained(markup.replace(runs.join(", "), ""));
    expect(
      page(markup)
        .cells("Arms")
        .map(([name, n]) => [name, n]),
    ).toEqual([
      ["sstoken", "4"],
      ["full", "4"],
    ]);
  });

  test("have their metrics' own numbers of seeds, and the runs that lack one by their folders", () => {
    const runs = [1, 2].map((seed) => runOf(seed, losses));
    const without = join(runs[1]!, "full");
    writeFileSync(join(without, "evaluation.jsonl"), '{"step":4,"loss":null,"tokens":8}\n');
    const { arms, metrics, comparisons } = compareRuns(runs);
    const markup = comparisonPage(runs, arms, metrics, comparisons);
    expect(page(markup).cells("Arms")[1]).toContainEqual(expect.stringMatching(/\(n = 1\)$/));
    expect(markup).toContain(`loss is missing, or no finite number, in ${without}`);
  });

  test("on other held-out data are other arms, and row 3 of the one is not compared with row 3 of the other", () => {
    const runs = ["a.arrow", "b.arrow"].flatMap((validation) =>
      [1, 2, 3].map((seed) => runOf(seed, losses, { ratio: 0.9 }, validation)),
    );
    const { arms, comparisons } = compareRuns(runs);
    expect(arms.map(({ arm, outcomes }) => [arm.name, outcomes.length])).toEqual([
      ["sstoken", 3],
      ["full", 3],
      ['sstoken, validation "b.arrow"', 3],
      ['full, validation "b.arrow"', 3],
    ]);
    const problemsOf = (against: string) =>
      comparisons.find((each) => each.metric === "loss" && each.arm === "sstoken" && each.against === against)
        ?.problems;
    expect([problemsOf("full"), problemsOf('full, validation "b.arrow"')]).toEqual([4, 0]);
  });

  test("of fewer than three seeds show no difference, however large", () => {
    const { comparisons, arms, metrics } = compareRuns([runOf(1, losses), runOf(2, losses)]);
    expect(verdictOf(comparisons, arms, metrics)).toBe(
      "No difference shown. Arms have 2 seeds in common; a difference needs at least 3.",
    );
  });

  test("say why nothing could be compared", () => {
    const { arms } = compareRuns([runOf(1, losses)]);
    expect(verdictOf([], arms.slice(0, 1), ["loss"])).toBe("Nothing to compare: there is one arm.");
    expect(verdictOf([], arms, [])).toContain("measured nothing in common");
    expect(verdictOf([], arms, ["loss"])).toContain("no two arms have a seed in common");
    const empty = runOf(2, losses);
    for (const path of [empty, join(empty, "full")]) writeFileSync(join(path, "metrics.jsonl"), "");
    expect(() => compareRuns([empty])).toThrow(userError("no-rows", "metrics.jsonl is empty"));
  });

  test("are called by what their settings differ in; those that differ in nothing are refused", () => {
    const runs = [runOf(1, losses), runOf(1, losses, { ratio: 0.6 })];
    expect(() => compareRuns(runs)).toThrow(userError("conflicting-options", "full")); // the arm `full` is the same in both
    const { arms } = compareRuns([runs[0]!, runOf(2, losses, { ratio: 0.6 })]);
    expect(arms.map(({ arm }) => arm.name)).toEqual(["sstoken", "full", "sstoken, ratio 0.6"]);
    expect(() => compareRuns([runs[0]!], { against: "fulll" })).toThrow(userError("invalid-option", "full?"));
    expect(() => compareRuns([runs[0]!], { metrics: ["losss"] })).toThrow(userError("invalid-option", "loss?"));
    expect(() => compareRuns([folder.path("nowhere")])).toThrow(userError("no-run", "nowhere"));
  });

  test("may have very many steps", () => {
    const run = runOf(1, losses);
    const steps = Array.from({ length: 200_000 }, (_, i) => `{"step":${i + 1},"memoryMB":${i}}\n`);
    writeFileSync(join(run, "timing.jsonl"), steps.join(""));
    expect(compareRuns([run]).arms[0]!.outcomes[0]!.cost.memoryMB).toBe(199_999);
  });

  test.each(["a: &a [*a]", "training: &t\n  seed: 1\n  x: *t", "a: [", "{a: ".repeat(1000)])(
    "with a configuration such as %.20s are refused by its name",
    (text) => {
      const runs = [runOf(1, losses), runOf(2, losses)];
      for (const run of runs) writeFileSync(join(run, "config.yaml"), text);
      expect(() => compareRuns(runs)).toThrow(userError("invalid-yaml", "config.yaml"));
    },
  );

  test("by the command line", async () => {
    const runs = [1, 2, 3].map((seed) => runOf(seed, losses));
    const out = folder.path("page.html");
    const { code, out: said } = await tokensift("compare", ...runs, "--out", out, "--metrics", "loss, loss");
    expect(code).toBe(0);
    expect(said.match(/sstoken - full/g)).toHaveLength(1);
    expect(said).toMatch(/sstoken - full +loss +−0.5000/);
    expect(readFileSync(out, "utf8")).toContain("<h1>Runs compared</h1>");
    expect((await tokensift("compare", ...runs, "--out", "page")).err).toContain("must end in .html");
    expect((await tokensift("compare", "--out", out)).code).toBe(2);
    const own = join(runs[0]!, "report.html");
    writeFileSync(own, "its own");
    symlinkSync(own, folder.path("mine.html"));
    for (const page of [own, folder.path("mine.html")])
      expect((await tokensift("compare", ...runs, "--out", page)).err).toContain("--out is the page of a run itself");
    expect(readFileSync(own, "utf8")).toBe("its own");
  });

  test("a curve over seeds is the mean where all of them have a point, within the area that they fill", () => {
    const curve = (...ys: number[]) => ys.map((y, x) => ({ x, y }));
    expect(overSeeds([curve(1, 2, 3), curve(3, 6)])).toEqual({
      points: curve(2, 4),
      band: { low: curve(1, 2), high: curve(3, 6) },
    });
    expect(overSeeds([curve(1, 2)])).toEqual({ points: curve(1, 2) });
  });
});
