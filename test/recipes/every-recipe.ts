import { join } from "node:path";
import { gateResults, writeGates } from "./attention-gate/small-run.ts";
import { cdpoResults, writeCdpo } from "./cdpo/small-run.ts";
import { orealResults, writeOreal } from "./oreal/small-run.ts";
import { results, writeRecipe } from "./small-run.ts";

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
}

export interface Disturbance {
  readonly signal: "SIGKILL" | "SIGINT";
  /** In the run folder. */
  readonly at: string;
  readonly entries: number;
}

const noCheckpoints = ["--set", "training.saveEvery=0"];

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
