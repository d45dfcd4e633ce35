import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { writeArrow } from "../../../src/data/arrow/write.ts";
import { readScored, writeScored } from "../../../src/recipes/cdpo/files.ts";
import { page } from "../../report/report-page.ts";
import { runInProcess } from "./in-process.ts";
import { cdpoResults as results, writeCdpo } from "./small-run.ts";
import { runHere } from "../run-here.ts";
import { linesOf, type Ended } from "../small-run.ts";
import { copyOfWhole } from "../whole-run.ts";

const run = (config: string, ...flags: string[]): Promise<Ended> => runHere("cdpo", config, ...flags);

/** When every stage's result was written. */
function times(output: string): Record<string, number> {
  const names = readdirSync(join(output, "stages")).filter((name) => name.endsWith(".json"));
  return Object.fromEntries(names.map((name) => [name.slice(0, -5), statSync(join(output, "stages", name)).mtimeMs]));
}

const stages = [
  ...["sample", "judge", "contrast-models.positive", "contrast-models.negative", "pairs", "score"],
  ...["cdpo", "tdpo"].flatMap((arm) => [`align.${arm}`, `evaluate.${arm}`, `losses.${arm}`]),
  ...["evaluate.base", "losses.base"],
];

let base: string;
let whole: string;
let config: string;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-cdpo-"));
  ({ config, output: whole } = await copyOfWhole("cdpo", join(base, "whole")));
}, 300_000);
afterAll(() => rmSync(base, { recursive: true }));

describe("the cDPO recipe", () => {
  test("leaves every stage's result and a manifest, and the arms' models", () => {
    expect(Object.keys(times(whole)).sort()).toEqual([...stages].sort());
    for (const arm of ["cdpo", "tdpo"]) {
      expect(linesOf(join(whole, arm, "metrics.jsonl"))).toBe(4);
      expect(existsSync(join(whole, arm, "adapter/adapter_model.safetensors"))).toBe(true);
      expect(existsSync(join(whole, arm, "model/model.safetensors"))).toBe(true);
    }
  });

  test("ends with a report of the same numbers, and critical tokens in colour", () => {
    const markup = readFileSync(join(whole, "report.html"), "utf8");
    const { cells, section } = page(markup);
    const { rows: models, finding } = JSON.parse(readFileSync(join(whole, "results.json"), "utf8")) as {
      rows: { name: string; greedy: number; rowCorrect: number[] }[];
      finding: string;
    };
    expect(finding).toMatch(
      /rows cdpo has .* greedy answers (than|from) tdpo \(.* sampled answers (than|from) tdpo \(/,
    );
    expect(finding).not.toContain("base");
    expect(cells("Results").map((row) => row.slice(0, 2))).toEqual(
      models.map(({ name, greedy }) => [name, `${(100 * greedy).toFixed(1)} %`]),
    );
    for (const { greedy, rowCorrect } of models)
      expect(rowCorrect.reduce((sum, x) => sum + x, 0) / rowCorrect.length).toBeCloseTo(greedy, 12);
    const scored = readScored(join(whole, "stages/score.arrow"), { vocabularySize: 1000 });
    const pictured = section("Critical tokens")!.querySelectorAll("figure.row");
    expect(pictured.length).toBe(2 * Math.min(4, scored.length));
    const { rows } = JSON.parse(readFileSync(join(whole, "tokens.json"), "utf8")) as {
      rows: { rowId: number; score: number[]; loss?: number }[];
    };
    // the pairs whose right answer has the highest loss under the starting model
    const losses = scored.map(
      ({ facts }) => -facts.chosen.reference.reduce((sum, x) => sum + x, 0) / facts.chosen.reference.length,
    );
    const worst = losses
      .map((loss, i) => ({ loss, pair: scored[i]! }))
      .sort((a, b) => b.loss - a.loss)
      .slice(0, 4);
    expect(rows.flatMap(({ rowId, loss }) => (loss === undefined ? [] : [rowId]))).toEqual(
      worst.map(({ pair }) => pair.question),
    );
    rows.flatMap(({ loss }) => loss ?? []).forEach((loss, i) => expect(loss).toBeCloseTo(worst[i]!.loss, 6));
    const s = worst[0]!.pair.facts.rejected.logEstimate!;
    rows[0]!.score.slice(-s.length).forEach((score, t) => expect(score).toBeCloseTo(1 - Math.exp(s[t]!), 6));
  });

  test("starts at log 2 under every objective with a reference", () => {
    for (const arm of ["cdpo", "tdpo"]) {
      const [first] = readFileSync(join(whole, arm, "metrics.jsonl"), "utf8").split("\n");
      expect((JSON.parse(first!) as { loss: number }).loss).toBeCloseTo(Math.LN2, 4);
    }
  });

  test("is the library's step spelled out, and all its stages share one copy of the starting model", async () => {
    const other = writeCdpo(join(base, "library"));
    expect(await runInProcess(other)).toEqual({ copies: 1, mostAtOnce: 1, tensors: 0 });
    expect(results(join(base, "library/out"))).toEqual(results(whole));
  }, 120_000);

  test("trains all weights on a copy beside the reference, where an objective reads that", async () => {
    const training = { steps: 2, batchSize: 2, learningRate: 1e-4 };
    const other = writeCdpo(join(base, "weights"), {
      stages: { score: join(whole, "stages/score.arrow") },
      align: { objective: { method: "tdpo" }, training },
      compare: ["dpo"],
    });
    // tdpo: the copy of the starting model's answers and one more; dpo: another
    expect(await runInProcess(other)).toEqual({ copies: 3, mostAtOnce: 2, tensors: 0 });
    expect(linesOf(join(base, "weights/out/tdpo/metrics.jsonl"))).toBe(2);
  }, 120_000);

  test("run again, keeps everything", async () => {
    const [before, files] = [times(whole), results(whole)];
    const summary = join(whole, "tdpo/summary.json");
    const text = readFileSync(summary, "utf8");
    rmSync(summary);
    const { code, stderr } = await run(config);
    expect(code).toBe(0);
    for (const stage of stages) expect(stderr).toContain(`${stage}: unchanged, kept.`);
    expect(times(whole)).toEqual(before);
    expect(results(whole)).toEqual(files);
    expect(readFileSync(summary, "utf8")).toBe(text);
  }, 60_000);

  test("makes anew what a changed key decides, and what follows, alone", async () => {
    const before = times(whole);
    const changed = await run(config, "--resume", "--set", "contrast.contrast=0.5");
    expect(changed.code).toBe(0);
    expect(changed.stderr).toContain("score: contrast was 1 and is now 0.5, made anew.");
    const after = times(whole);
    const anew = Object.keys(after).filter((stage) => after[stage] !== before[stage]);
    const follows = stages.filter((stage) => /^(score|align|evaluate|losses)/.test(stage) && !stage.endsWith(".base"));
    expect(anew.sort()).toEqual(follows.sort());
  }, 120_000);

  test("makes a damaged result anew", async () => {
    const files = results(whole);
    writeFileSync(join(whole, "stages/pairs.arrow"), "no Arrow file");
    const { code, stderr } = await run(config, "--resume", "--set", "contrast.contrast=0.5");
    expect(code).toBe(0);
    expect(stderr).toContain("pairs: its result was changed or removed, made anew.");
    expect(results(whole)).toEqual(files);
  }, 120_000);

  test("takes the user's scored pairs, and runs no stage before them", async () => {
    const scored = readScored(join(whole, "stages/score.arrow"), { vocabularySize: 1000 });
    const mine = join(base, "mine.arrow");
    const halves = (n: number): Float32Array => new Float32Array(n).fill(0.5);
    const weighted = scored.map((pair) => ({
      ...pair,
      facts: {
        chosen: { ...pair.facts.chosen, weights: halves(pair.chosen.ids.length) },
        rejected: { ...pair.facts.rejected, weights: halves(pair.rejected.ids.length) },
      },
    }));
    const [first] = weighted;
    const long = {
      ...first!,
      chosen: { ...first!.chosen, ids: new Array<number>(300).fill(5) },
      facts: { ...first!.facts, chosen: { reference: halves(300).map((x) => -x), weights: halves(300) } },
    };
    writeScored(mine, [...weighted, long]);
    const output = join(base, "mine");
    const flags = [
      `stages.score=${mine}`,
      `output=${output}`,
      "compare=[sft-chosen,sft-reference]",
      "align.objective.method=columns",
    ];
    const { code, stderr } = await run(config, ...flags.flatMap((flag) => ["--set", flag]));
    expect([code, stderr]).toEqual([0, expect.stringContaining("score: ")]);
    expect(stderr).toContain("mine.arrow takes its place.");
    const left = `1 of ${weighted.length + 1} pairs are left out (longer than the model's context of 256 tokens)`;
    expect(stderr.split(left)).toHaveLength(2); // told once
    expect(stderr).toContain(`${weighted.length} pairs.`);
    const arms = ["columns", "sft-chosen", "sft-reference"].flatMap((arm) => [
      `align.${arm}`,
      `evaluate.${arm}`,
      `losses.${arm}`,
    ]);
    expect(Object.keys(times(output)).sort()).toEqual(["evaluate.base", "losses.base", ...arms].sort());
  }, 120_000);

  test("refuses a reference that is not the starting model's, before it trains", async () => {
    const scored = readScored(join(whole, "stages/score.arrow"), { vocabularySize: 1000 });
    const wrong = join(base, "wrong.arrow");
    writeScored(
      wrong,
      scored.map((pair) => ({
        ...pair,
        facts: {
          ...pair.facts,
          chosen: { ...pair.facts.chosen, reference: pair.facts.chosen.reference.map((x) => x - 0.1) },
        },
      })),
    );
    const flags = ["--set", `stages.score=${wrong}`, "--set", `output=${join(base, "wrong")}`];
    const { code, stderr } = await run(config, ...flags);
    expect(code).toBe(2);
    expect(stderr).toMatch(/before its first update, the reference/);
    expect(linesOf(join(base, "wrong/cdpo/metrics.jsonl"))).toBe(0);
  }, 60_000);

  test.each([
    ["no column", { question: "float64" } as const, [{ question: 1 }], /pairs|no column prompt_ids/],
    [
      "ids outside the vocabulary",
      {
        question: "float64",
        prompt_ids: "list<int32>",
        chosen_ids: "list<int32>",
        rejected_ids: "list<int32>",
        chosen_finished: "bool",
        rejected_finished: "bool",
      } as const,
      [
        {
          question: 1,
          prompt_ids: Int32Array.of(5),
          chosen_ids: Int32Array.of(100000),
          rejected_ids: Int32Array.of(5),
          chosen_finished: true,
          rejected_finished: true,
        },
      ],
      /row 0: the column chosen_ids must hold at least one token id, all from 0 to 248/,
    ],
  ])(
    "refuses a file of pairs with %s, in one message",
    async (_, columns, rows, message) => {
      const path = join(base, "pairs.arrow");
      writeArrow(path, columns, rows);
      const output = join(base, "refused");
      const { code, stderr } = await run(config, "--set", `stages.pairs=${path}`, "--set", `output=${output}`);
      expect(code).toBe(2);
      expect(stderr).toMatch(message);
      expect(stderr).not.toContain("    at ");
      expect(stderr).not.toContain("drawing responses"); // told before anything is computed
      expect(existsSync(output)).toBe(false);
    },
    60_000,
  );
});
