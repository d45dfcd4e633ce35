import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { measuresOf } from "../../src/grid/collect/measures.ts";
import { compareRuns } from "../../src/grid/side-by-side/compare-runs.ts";
import { digestOfBytes } from "../../src/system/file-digest.ts";
import { checkpointSteps } from "../../src/training/checkpoint-files.ts";
import { page } from "../report/report-page.ts";
import { gateResults, writeGates } from "./attention-gate/small-run.ts";
import { cdpoResults, smallData, writeCdpo } from "./cdpo/small-run.ts";
import { writeOreal, orealResults } from "./oreal/small-run.ts";
import { runHere } from "./run-here.ts";
import { results, smallSolver, writeRecipe } from "./small-run.ts";

/** Words of answers, and the share that is right: as `exactMatch`, which the verifier knows. */
const metric = `export const metric = (rows, answers) => ({
  words: answers.map(({ text }) => text.split(" ").length),
  right: answers.filter(({ correct }) => correct).length / rows.length,
});`;

/**
 * No loss is lower by 1,000, so that two evaluations are no improvement on the first: every arm is stopped at the third, of
 * five. The best is the highest loss, so that the model is that of an earlier step than the last.
 */
const stopping = (every: number) => ({
  ...{ saveEvery: every, evaluateEvery: every, keepCheckpoints: 9, saveBest: true, bestMode: "max" },
  earlyStopping: { metric: "loss", mode: "min", patience: 2, minDelta: 1000 },
});

interface Case {
  readonly name: string;
  readonly every: number;
  write(folder: string): string;
  /** What is changed of the small configuration. */
  change(training: object): object;
  results(output: string): Record<string, string | undefined>;
  /** Folders of the arms, the last of which is interrupted. */
  readonly arms: readonly string[];
  /** Where the model of an arm lies, in its folder and in a checkpoint. */
  readonly weights: readonly [string, string];
  /** The name of the first row of the results that a metric has measured. */
  readonly measured: string;
  /** How many lines an arm's evaluation log has, and at which steps answers were measured, where it saves the model of `saved`. */
  readonly measuredWhole: (every: number, saved: number) => [lines: number, whole: number[]];
}

const words = resolve(import.meta.dirname, "../../datasets/word-problems");
const cases: readonly Case[] = [
  {
    ...{ name: "sstoken", every: 1, write: writeRecipe, results, arms: ["", "random"], measured: "sstoken" },
    change: (training) => ({
      data: { limit: 8, validationLimit: 2, maxTokens: 100 },
      training: { ...training, steps: 5, batchSize: 2 },
      evaluation: { samples: 1, maxNewTokens: 4, onTheWay: "losses" },
    }),
    weights: ["model/model.safetensors", "model/model.safetensors"],
    measuredWhole: (_, saved) => [5, [0, saved]],
  },
  {
    ...{ name: "oreal", every: 1, write: writeOreal, results: orealResults, arms: [""], measured: "oreal" },
    change: (training) => ({
      training: { ...training, iterations: 5, policyFreeze: 0 },
      ...{ objective: { preset: "grpo", weights: { source: "none" } }, rewardModel: null, compare: [] },
      sampling: { questionsPerStep: 2, samples: 2, maxNewTokens: 8 },
      ...{ data: { limit: 8, validationLimit: 1 }, evaluation: { maxNewTokens: 4, onTheWay: null } },
    }),
    weights: ["model/model.safetensors", "model/model.safetensors"],
    measuredWhole: (every) => [4, [0, every, 2 * every, 3 * every]],
  },
  {
    ...{ name: "attention-gate", every: 1, write: writeGates, results: gateResults, arms: ["", "control"] },
    change: (training) => ({
      model: smallSolver,
      training: { ...training, steps: 5, earlyStopping: { ...stopping(1).earlyStopping, metric: "hardLoss" } },
      data: { limit: 6, validationLimit: 1 },
      evaluation: { samples: 0, maxNewTokens: 2, baselines: [] },
    }),
    ...{ weights: ["adapter/adapter_model.safetensors", "adapter/adapter_model.safetensors"], measured: "gates" },
    measuredWhole: () => [4, []], // answers are written at the end alone
  },
  {
    ...{ name: "cdpo", every: 1, write: writeCdpo, results: cdpoResults, arms: ["dpo"], measured: "base" },
    change: (training) => ({
      data: { ...smallData(4), train: join(words, "pairs.arrow") },
      align: { objective: { method: "dpo" }, training: { ...training, steps: 5 } },
      ...{ compare: [], evaluation: { samples: 0, maxNewTokens: 2, onTheWay: "losses" } },
    }),
    weights: ["adapter/adapter_model.safetensors", "adapter/adapter_model.safetensors"],
    measuredWhole: () => [4, []], // answers are a stage of their own
  },
];

function merged(base: unknown, change: unknown): unknown {
  if (!isGroup(base) || !isGroup(change)) return change;
  const keys = Object.entries(change).map(([key, value]) => [key, merged(base[key], value)]);
  return Object.fromEntries(Object.entries({ ...base, ...Object.fromEntries(keys) }).filter(([, v]) => v !== null));
}
const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const json = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
const linesOf = (path: string) =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const digest = (path: string): string => digestOfBytes(readFileSync(path)).sha256;

/** Leaves of an arm what a process leaves that was killed after a checkpoint, and before the next was complete. */
function cutBack(arm: string, step: number): void {
  for (const later of checkpointSteps(join(arm, "checkpoints")).filter((each) => each > step))
    rmSync(join(arm, "checkpoints", `step-${later}`), { recursive: true });
  const kept = ["metrics.jsonl", "timing.jsonl", "evaluation.jsonl", "losses-before.json"];
  const left = [...kept, "checkpoints", "trajectories", "run.json", "config.yaml", "files.json"];
  for (const name of readdirSync(arm)) {
    const isArm = existsSync(join(arm, name, "run.json")) || name === "stages";
    if (!left.includes(name) && !isArm) rmSync(join(arm, name), { recursive: true });
  }
}

describe.each(cases)(
  "early stopping of $name",
  ({ name, every, write, change, results, arms, weights, measured, measuredWhole }) => {
    let folder: string;
    let config: string;
    let output: string;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), `tokensift-stopping-${name}-`));
      config = write(folder);
      output = join(folder, "out");
      writeFileSync(join(folder, "mine.mjs"), metric);
      const given = merged(json(config), { evaluation: { metric: "./mine.mjs" } });
      writeFileSync(config, JSON.stringify(merged(given, change(stopping(every)))));
      const { code, stderr } = await runHere(name, config);
      expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    }, 300_000);
    afterAll(() => rmSync(folder, { recursive: true }));

    test("stops each arm by itself, and saves the model of its best checkpoint", () => {
      for (const arm of arms) {
        const path = join(output, arm);
        expect(linesOf(join(path, "metrics.jsonl"))).toHaveLength(3 * every);
        const lines = linesOf(join(path, "evaluation.jsonl"));
        const losses = lines.slice(0, 4).map(({ loss, hardLoss = loss }) => Number(hardLoss)); // the start, and three
        const highest = every * (1 + losses.slice(1).findLastIndex((loss) => loss === Math.max(...losses.slice(1))));
        const whole = lines.flatMap(({ step, words }) => (words === undefined ? [] : [step]));
        expect([lines.length, whole]).toEqual(measuredWhole(every, highest));
        const summary = json(join(path, "summary.json"));
        expect(summary).toMatchObject({ steps: 3 * every, stoppedAt: 3 * every, savedStep: highest });
        const [saved, kept] = weights.map((file, i) =>
          join(path, i === 0 ? file : `checkpoints/step-${highest}/${file}`),
        );
        expect(digest(saved!)).toBe(digest(kept!));
      }
    });

    test("says so in the table, in results.json and on the page, with the numbers of one's own metric", () => {
      const found = json(join(output, "results.json")) as { rows: Record<string, unknown>[]; notes: string[] };
      const own = found.rows.find((row) => (row["name"] ?? row["model"]) === measured)!;
      const problems = linesOf(join(output, "problems.jsonl")).filter(({ cache }) => cache === own["cache"]);
      const mean = (key: string) => problems.reduce((sum, line) => sum + Number(line[key]), 0) / problems.length;
      expect(own["words"]).toBeCloseTo(mean("words"), 12);
      expect(own["right"]).toBeCloseTo(mean("correct"), 12);
      const table = readFileSync(join(output, "table.txt"), "utf8");
      expect(table).toMatch(/words +right +(\S+ +)*stopped at +model of/);
      expect(found.notes[0]).toMatch(/was stopped early after (step|iteration) \d+: \w+ has not improved in 2/);
      expect(table).toContain(found.notes[0]!);
      const text = page(readFileSync(join(output, "report.html"), "utf8")).text;
      for (const head of ["Stopped at", "Model of step", "words"]) expect(text).toContain(head);
    });

    if (name === "sstoken")
      test("one's own numbers are compared, row by row, and can be a grid's metrics", () => {
        const { metrics, comparisons } = compareRuns([output]);
        expect(metrics).toEqual(expect.arrayContaining(["loss", "exactMatch", "words", "right"]));
        expect(comparisons.find(({ metric }) => metric === "words")).toMatchObject({
          arm: "sstoken",
          against: "random",
        });
        const { measures } = measuresOf(output);
        const own = json(join(output, "results.json")) as { rows: Record<string, number>[] };
        expect(measures.get("words")).toMatchObject({ value: own.rows[0]!["words"], own: true });
        expect(measures.get("words")!.problems!.values).toHaveLength(2);
        expect(measures.get("evaluation.right")!.problems).toBeUndefined();
        expect(measures.get("words@random")!.value).toBe(own.rows[1]!["words"]);
        expect(measures.get("savedStep")!.value).toBe(json(join(output, "summary.json"))["savedStep"]);
        // of the saved model, not of the last step
        const saved = linesOf(join(output, "evaluation.jsonl")).find(({ step }) => step === own.rows[0]!["savedStep"])!;
        expect([measures.get("loss")!.value, measures.get("evaluation.loss")!.value]).toEqual([
          saved["loss"],
          saved["loss"],
        ]);
      });

    test("killed and continued, stops at the same step with the same bytes", async () => {
      const [whole, again] = [results(output), join(folder, "again")];
      cpSync(output, again, { recursive: true });
      const arm = join(again, arms.at(-1)!);
      cutBack(arm, every);
      if (arm !== again) for (const late of ["results.json", "table.txt"]) rmSync(join(again, late), { force: true });
      if (name === "cdpo") {
        const manifest = join(again, `stages/align.${basename(arm)}.json`);
        writeFileSync(manifest, JSON.stringify({ ...json(manifest), digest: undefined })); // under way
      }
      const { code, stderr } = await runHere(name, config, "--resume", "--set", `output=${again}`);
      expect([code, stderr]).toEqual([0, expect.stringMatching(new RegExp(`continuing after \\w+ ${every}\\.`, "i"))]);
      expect(results(again)).toEqual(whole);
    }, 300_000);

    if (name === "sstoken")
      test("is not continued under another metric, which is named, unless that is allowed", async () => {
        writeFileSync(join(folder, "mine.mjs"), `${metric} // changed`);
        const refused = await runHere(name, config, "--resume");
        const named = /other settings:\n {2}evaluation\.metric: mine\.mjs is not what it was[^]*--allow-changes/;
        expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(named)]);
        expect((await runHere(name, config, "--resume", "--allow-changes")).code).toBe(0);
      }, 300_000);
  },
);
