import { Type } from "@sinclair/typebox";
import type { KeyPath, Problem } from "./problem.ts";
import { choice } from "./schema.ts";
import { count } from "./values.ts";

/** A size of files, in units of 1,000 as in transformers. */
export const sizePattern = "^[1-9][0-9]{0,14} ?[KMGT]B$";

/** What of an evaluation can tell which model is better: all but `loss` are better where they are higher. */
export const bestMetrics = ["loss", "referenceProbability", "exactMatch", "passAt1"] as const;
export type BestMetric = (typeof bestMetrics)[number];

/**
 * When a training is saved and measured, what stays of it, and what is done where it diverges.
 * @param unit what a step is called, in the plural
 */
export const savingKeys = (unit: "Steps" | "Iterations", bestMetric: BestMetric) => ({
  saveEvery: count(
    `${unit} between checkpoints, the last${unit === "Steps" ? " step" : ""} included; 0 saves none but the final model.`,
    { default: 0, minimum: 0 },
  ),
  keepCheckpoints: count("Checkpoints to keep; older ones are deleted.", { default: 2 }),
  keepBest: count("So many of the best checkpoints are kept beside the newest.", { default: 0, minimum: 0 }),
  bestMetric: choice(bestMetrics, {
    default: bestMetric,
    description: "Which number of an evaluation says which checkpoint is best.",
  }),
  checkpointBudget: Type.Optional(
    Type.String({
      pattern: sizePattern,
      description:
        "Most that the checkpoints may take on the disk together, as 20GB: older ones are deleted, the newest stays in " +
        "any case. Default: no limit.",
    }),
  ),
  evaluateEvery: count(`${unit} between evaluations; 0 evaluates at the start and the end.`, {
    default: 0,
    minimum: 0,
  }),
  onDivergence: choice(["warn", "stop", "rollback"], {
    default: "warn",
    description:
      "Where the loss explodes or a gradient is not finite. warn: say it, leave such an update out and go on; stop: end " +
      "the run; rollback: go back to the last sound checkpoint with half the learning rate, once.",
  }),
});

/** The keys that contradict each other, of a training whose evaluations have these numbers: none without held-out rows. */
export function savingContradictions(
  training: { saveEvery: number; keepBest: number; bestMetric: BestMetric; evaluateEvery: number },
  path: KeyPath,
  measured: readonly BestMetric[],
): Problem[] {
  const { saveEvery, keepBest, bestMetric, evaluateEvery } = training;
  if (keepBest === 0) return [];
  const name = path.join(".");
  const refuse = (key: string, message: string): Problem[] => [{ path: [...path, key], message }];
  if (measured.length === 0) return refuse("keepBest", "needs held-out rows: give data.validation");
  if (!measured.includes(bestMetric))
    return refuse("bestMetric", `is not measured here; this run measures ${measured.join(", ")}`);
  if (saveEvery === 0 || evaluateEvery === 0 || saveEvery % evaluateEvery !== 0)
    return refuse(
      "keepBest",
      `needs every checkpoint measured: make ${name}.saveEvery a multiple of ${name}.evaluateEvery`,
    );
  return [];
}
