import { join, resolve } from "node:path";
import { gateResults, writeGates } from "./attention-gate/small-run.ts";
import { cdpoResults, writeCdpo } from "./cdpo/small-run.ts";
import { orealResults, writeOreal } from "./oreal/small-run.ts";
import { results, smallSolver, writeRecipe } from "./small-run.ts";

/** A recipe as the tests of all recipes run it. */
export interface RecipeCase {
  /** Its file in `trainers/`, without the ending. */
  readonly name: string;
  /**
   * Writes a small configuration into a folder.
   * @param output in place of `out` in the folder
   * @returns its file
   */
  write(folder: string, output?: string): string;
  /** What a run must leave to the byte, by file. */
  results(output: string): Record<string, string | undefined>;
  /** The first column of its results. */
  readonly rows: readonly string[];
  /** By the folder of an arm, the first cells of the results' rows that its held-out problems stand behind, in order. */
  readonly problems: Readonly<Record<string, readonly (readonly string[])[]>>;
  /** What `--dry-run` says of the small configuration. */
  readonly plan: readonly RegExp[];
  /** Signals sent to one run after the other, each as soon as a log has so many lines, or a folder so many files. */
  readonly disturbances: readonly Disturbance[];
  /** Flags without which it saves checkpoints: the disk then fills up while the model and the report are written. */
  readonly noCheckpoints: readonly string[];
  /** Started again without a flag it keeps what nothing has changed, and does not refuse. */
  readonly goesOn?: true;
  /**
   * Of `npm run torture`: what is smaller there, and by name what else is tried. Both are merged into the configuration, key
   * by key; null removes one.
   */
  readonly tortured: { readonly brief: object; readonly variants: Readonly<Record<string, object>> };
  /** Other recipes that the configuration fits, with what is changed for each. */
  readonly alike?: Readonly<Record<string, object>>;
}

export interface Disturbance {
  readonly signal: "SIGKILL" | "SIGINT";
  /** In the run folder. */
  readonly at: string;
  readonly entries: number;
}

const noCheckpoints = ["--set", "training.saveEvery=0"];

const words = resolve(import.meta.dirname, "../../datasets/word-problems");
const distracted = resolve(import.meta.dirname, "../../datasets/distracted-problems");
/** Rows of two files. */
const twoFiles = (folder: string, names: readonly [string, string], rows: number) => ({
  data: { train: names.map((name) => ({ path: join(folder, name), limit: rows })), limit: null },
});
/** The same, of which the first come more often. */
const mixture = (folder: string, [first, second]: readonly [string, string], rows: number) => ({
  data: {
    train: [
      { path: join(folder, first), limit: rows, weight: 2 },
      { path: join(folder, second), limit: rows },
    ],
    limit: null,
  },
});
const adapter = { rank: 2, dropout: 0.1 };
/** Ends every arm at its third evaluation, with the model of the best checkpoint. */
const stopping = (every: number) => ({
  ...{ saveEvery: every, evaluateEvery: every, saveBest: true, bestMode: "max" },
  earlyStopping: { metric: "loss", mode: "min", patience: 2, minDelta: 1000 },
});
/** Weights of 16 bits that stay in their file under an adapter; `npm run torture` makes the model beside the configuration. */
const storedTrunk = { model: "stored-model" };

/** A server that `npm run torture` has; it puts its address here. */
const served = { url: "here", weights: "lora", retryPause: 0.001, concurrency: 3 };

/** Every recipe; of those that share `finetune`, one. */
export const recipeCases: readonly RecipeCase[] = [
  {
    name: "sstoken",
    write: (folder, output = join(folder, "out")) => writeRecipe(folder, { output }),
    results,
    rows: ["sstoken", "random"],
    problems: { "": [["sstoken"]], random: [["random"]] },
    plan: [
      /^Steps: 12 of 4 rows/m,
      /^ {2}sstoken: preset recommended, ratio .*, gamma 0\.5, /m, // which the file leaves out
      /^ {2}random: ratio /m,
    ],
    disturbances: [
      { signal: "SIGKILL", at: "metrics.jsonl", entries: 5 },
      { signal: "SIGINT", at: "random/metrics.jsonl", entries: 4 },
    ],
    noCheckpoints,
    tortured: {
      brief: {
        data: { limit: 16, validationLimit: 2 },
        training: { steps: 6, saveEvery: 2, evaluateEvery: 3 },
        evaluation: { samples: 1, maxNewTokens: 4 },
      },
      variants: {
        plain: {},
        "merged adapter, moving history": {
          ...{ fresh: null, model: smallSolver, adapter, history: { source: "ema", decay: 0.9 } },
        },
        "stored trunk": { fresh: null, ...storedTrunk, adapter },
        "two files": twoFiles(words, ["train-noisy.arrow", "train-junk.arrow"], 8),
        mixture: mixture(words, ["train-noisy.arrow", "clean-reference.arrow"], 8),
        packing: { data: { packing: true, maxTokens: 200 }, training: { microBatchSize: 1, batchSize: 2 } },
        "early stopping": { training: { steps: 10, ...stopping(2) } },
      },
    },
    alike: {
      finetune: { selection: { method: "token-cleaning", scope: "step" }, selfEvolving: { parts: 3 }, history: null },
    },
  },
  {
    name: "cdpo",
    write: (folder, output = join(folder, "out")) => writeCdpo(folder, { output }),
    results: cdpoResults,
    rows: ["base", "cdpo", "tdpo"],
    problems: { "": [["base"]], cdpo: [["cdpo"]], tdpo: [["tdpo"]] },
    plan: [/^Arms: cdpo, tdpo$/m, /^ {2}tdpo: .*dpoBeta /m],
    disturbances: [
      { signal: "SIGKILL", at: "stages/sample.parts", entries: 1 },
      { signal: "SIGINT", at: "stages/contrast-models/positive/metrics.jsonl", entries: 1 },
      { signal: "SIGKILL", at: "cdpo/metrics.jsonl", entries: 2 },
    ],
    noCheckpoints: ["--set", "contrast.training.saveEvery=0", "--set", "align.training.saveEvery=0"],
    goesOn: true,
    tortured: {
      brief: { data: { limit: 9 }, sampling: { maxNewTokens: 12, batchSize: 2 }, evaluation: { maxNewTokens: 12 } },
      variants: {
        plain: {},
        "two files": twoFiles(words, ["clean-reference.arrow", "validation.arrow"], 6),
        "stored trunk": storedTrunk,
        "given pairs": {
          data: { train: join(words, "pairs.arrow"), validation: join(words, "pairs-held-out.arrow") },
          compare: ["columns"],
        },
        "early stopping": { align: { training: { steps: 5, ...stopping(1) } } },
      },
    },
  },
  {
    name: "oreal",
    write: (folder, output = join(folder, "out")) => writeOreal(folder, { top: { output } }),
    results: (output) => ofArms(["", "rloo"], (arm) => orealResults(join(output, arm))),
    rows: ["(start)", "oreal", "rloo"],
    problems: { "": [["oreal"]], rloo: [["rloo"]] },
    plan: [
      /^Questions: 24, held-out problems: 2/m,
      /^Each iteration: 5 questions x 4 responses of at most 20 tokens$/m,
      /^ {2}oreal: 3 iterations, 1 of them without the policy\n {2}rloo: 3 iterations\n/m,
    ],
    disturbances: [
      { signal: "SIGKILL", at: "metrics.jsonl", entries: 2 },
      { signal: "SIGINT", at: "rloo/metrics.jsonl", entries: 1 },
    ],
    noCheckpoints,
    tortured: {
      brief: {
        data: { limit: 10 },
        sampling: { questionsPerStep: 3, maxNewTokens: 12 },
        training: { saveEvery: 1, evaluateEvery: 2 },
        evaluation: { maxNewTokens: 12 },
      },
      variants: {
        plain: {},
        "merged adapter": { policy: { adapter } },
        "two files": twoFiles(words, ["clean-reference.arrow", "validation.arrow"], 6),
        "stored trunk": { ...storedTrunk, policy: { adapter } },
        "drawn on, beside greedy answers": {
          ...{ objective: { advantage: "greedy", keep: "all" }, sampling: { dynamic: { maxRounds: 3 } } },
        },
        "weights of the adapter's shift": {
          ...{ objective: { weights: { source: "adapter-shift" } }, rewardModel: null },
          ...{ training: { policyFreeze: null }, policy: { learningRate: 1e-2, adapter } },
        },
        "drawn by a server": {
          ...{ objective: { preset: "reinforce", weights: null }, rewardModel: null, training: { policyFreeze: null } },
          ...{ sampling: { server: served }, policy: { learningRate: 1e-2, adapter } },
        },
        "early stopping": { training: { iterations: 5, ...stopping(1) } },
      },
    },
  },
  {
    name: "attention-gate",
    write: (folder, output = join(folder, "out")) => writeGates(folder, { output }),
    results: gateResults,
    rows: ["gates", "gates", "control", "control", "control"],
    problems: {
      "": ["gates", "full"].map((cache) => ["gates", cache]),
      control: ["full", "h2o", "key-diff"].map((cache) => ["control", cache]),
    },
    plan: [/^Runs: gates, control$/m, /^ {2}h2o: /m],
    disturbances: [
      { signal: "SIGKILL", at: "metrics.jsonl", entries: 2 },
      { signal: "SIGINT", at: "control/metrics.jsonl", entries: 1 },
    ],
    noCheckpoints,
    tortured: {
      brief: {
        ...{ model: smallSolver, training: { saveEvery: 1 } },
        evaluation: { samples: 1, maxNewTokens: 3, baselines: ["h2o"] },
      },
      variants: {
        "gates with adapter": {},
        "gates alone": { mode: "pretrain", adapter: null, gates: { objective: "end-to-end", relaxation: null } },
        "gates that distil": { mode: "pretrain", adapter: null, gates: { objective: "distill", relaxation: null } },
        "gates that foresee": {
          ...{ mode: "pretrain", adapter: null, eviction: null, report: null, training: { learningRate: 1e-2 } },
          gates: { relaxation: null, initialKeep: null },
        },
        mixture: mixture(distracted, ["train.arrow", "test.arrow"], 6),
        "early stopping": { training: { steps: 5, ...stopping(1) } },
        "stored trunk, packing": { ...storedTrunk, data: { packing: true, maxTokens: 240 } },
      },
    },
  },
];

function ofArms(
  arms: readonly string[],
  results: (arm: string) => Record<string, string | undefined>,
): Record<string, string | undefined> {
  return Object.fromEntries(
    arms.flatMap((arm) => Object.entries(results(arm)).map(([file, content]) => [join(arm, file), content])),
  );
}
