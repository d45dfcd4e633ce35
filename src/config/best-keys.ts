import { Type, type Static } from "@sinclair/typebox";
import type { KeyPath, Problem } from "./problem.ts";
import { choice, group } from "./schema.ts";
import { amount, count } from "./values.ts";

/** What of an evaluation is better where it is less, and where it is more. Of other numbers the configuration must say it. */
const better = {
  min: ["loss", "perplexity", "hardLoss", "softLoss", "softHardGap", "divergence"],
  max: [...["referenceProbability", "hardReferenceProbability", "exactMatch", "passAt1"], ...["preferred", "margin"]],
} as const;
type Mode = keyof typeof better;

const modes = ["min", "max"] as const;
const metricKey = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));
const modeKey = (of: string) =>
  Type.Optional(
    choice(modes, { description: `Whether less (min) or more (max) of it is better. Default: known of ${of}.` }),
  );

/** @param usual the number that says which model is better where nothing else is named */
export const bestKeys = (usual: string) => ({
  keepBest: count("So many of the best checkpoints are kept beside the newest.", { default: 0, minimum: 0 }),
  bestMetric: metricKey(
    `Which number of an evaluation says which checkpoint is best. Default: that of earlyStopping, else ${usual}.`,
  ),
  bestMode: modeKey("all numbers but those of evaluation.metric"),
  saveBest: Type.Optional(
    Type.Boolean({
      description: "The model that is written is that of the best checkpoint instead of the last step. Default: false.",
    }),
  ),
  earlyStopping: Type.Optional(
    group(
      {
        metric: metricKey(`The number of an evaluation that is watched. Default: bestMetric, else ${usual}.`),
        mode: modeKey("all numbers but those of evaluation.metric"),
        patience: count("So many evaluations in a row without an improvement end the training.", { default: 3 }),
        minDelta: amount("A change of at most so much is no improvement.", { default: 0 }),
      },
      { description: "Ends the training, each arm by itself, once a number of the evaluations no longer improves." },
    ),
  ),
});

const keys = Type.Object(bestKeys(""));

/** The keys of a `training` group, of those that have them. */
export type BestKeys = Partial<Static<typeof keys>>;

/** Fills in what follows from other keys, in place. */
export function fillBest(training: BestKeys, usual: string): void {
  const { earlyStopping } = training;
  if (earlyStopping) {
    earlyStopping.metric ??= training.bestMetric ?? usual;
    const same = earlyStopping.metric === training.bestMetric;
    setMode(earlyStopping, "mode", (same ? training.bestMode : undefined) ?? modeOf(earlyStopping.metric));
  }
  training.bestMetric ??= earlyStopping?.metric ?? usual;
  const same = earlyStopping?.metric === training.bestMetric;
  setMode(training, "bestMode", (same ? earlyStopping?.mode : undefined) ?? modeOf(training.bestMetric));
  if (training.saveBest === true) training.keepBest = Math.max(1, training.keepBest ?? 0);
}

function setMode<Key extends string>(group: { [key in Key]?: Mode | undefined }, key: Key, mode: Mode | undefined) {
  if (group[key] === undefined && mode !== undefined) group[key] = mode;
}

function modeOf(metric: string): Mode | undefined {
  return modes.find((mode) => (better[mode] as readonly string[]).includes(metric));
}

/** What an evaluation of the run has. */
export interface Measured {
  /** Its numbers by name; none without held-out rows. */
  readonly numbers: readonly string[];
  /** Whether a metric of the user's own adds numbers whose names are not known yet. */
  readonly own?: boolean;
  /** Why they are not more. */
  readonly because?: string;
}

/** What a configuration says of evaluations. */
interface EvaluationKeys {
  /** Whether greedy answers are written. Default true. */
  readonly generate?: boolean;
  readonly samples: number;
  readonly metric?: string | undefined;
  readonly onTheWay?: "all" | "losses" | undefined;
}

/** What evaluations of held-out rows have on the way, by which checkpoints are compared. */
export function measuredOnTheWay({ generate = true, samples, metric, onTheWay }: EvaluationKeys): Measured {
  const losses = ["loss", "perplexity", "referenceProbability"];
  if (onTheWay === "losses" && generate)
    return { numbers: losses, own: false, because: "on the way, as evaluation.onTheWay says" };
  const answers = [...(generate ? ["exactMatch"] : []), ...(samples > 0 ? ["passAt1"] : [])];
  return { numbers: [...losses, ...answers], own: metric !== undefined };
}

/** The keys that contradict each other. */
export function bestContradictions(
  training: BestKeys & { saveEvery: number; evaluateEvery: number },
  path: KeyPath,
  { numbers, own = false, because }: Measured,
): Problem[] {
  const { saveEvery, keepBest = 0, saveBest, bestMetric, bestMode, evaluateEvery, earlyStopping } = training;
  if (keepBest === 0 && earlyStopping === undefined) return [];
  const name = path.join(".");
  const problems: Problem[] = [];
  const refuse = (keys: readonly string[], message: string) => problems.push({ path: [...path, ...keys], message });
  const asked = saveBest === true ? ["saveBest"] : keepBest > 0 ? ["keepBest"] : ["earlyStopping"];
  if (numbers.length === 0) {
    refuse(asked, "needs held-out rows: give data.validation");
    return problems;
  }
  const check = (keys: readonly string[], metric: string | undefined, modeKeys: readonly string[], mode?: Mode) => {
    if (!numbers.includes(metric!) && !own)
      refuse(
        keys,
        `is not measured here (${metric}); this run measures ${numbers.join(", ")}${because ? ` ${because}` : ""}`,
      );
    else if (mode === undefined)
      refuse(modeKeys, `is missing: say whether less (min) or more (max) of ${metric} is better`);
  };
  if (earlyStopping) {
    check(["earlyStopping", "metric"], earlyStopping.metric, ["earlyStopping", "mode"], earlyStopping.mode);
    if (evaluateEvery === 0) refuse(["earlyStopping"], `needs evaluations on the way: give ${name}.evaluateEvery`);
  }
  if (keepBest === 0) return problems;
  check(["bestMetric"], bestMetric, ["bestMode"], bestMode);
  if (saveEvery === 0 || evaluateEvery === 0 || saveEvery % evaluateEvery !== 0)
    refuse(asked, `needs every checkpoint measured: make ${name}.saveEvery a multiple of ${name}.evaluateEvery`);
  return problems;
}
