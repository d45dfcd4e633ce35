import { savedLine } from "../../report/run-files.ts";
import type { RunFolder } from "../../training/run-folder.ts";

/** What one model makes of one held-out problem: a line of `problems.jsonl`. What was not measured is absent. */
export interface ProblemOutcome {
  /** Row of the problem in the held-out data, from 0. */
  readonly row: number;
  /** Of a recipe that answers over several caches: over which. */
  readonly cache?: string;
  /** `-log p` of the whole reference response in nats; its probability is `exp(-nll)`. */
  readonly nll?: number;
  /** Response tokens that `nll` is summed over. */
  readonly tokens?: number;
  /** 1 = the greedy answer is right. */
  readonly correct?: number;
  /** Answers drawn to the problem, and how many of them are right. */
  readonly samples?: number;
  readonly sampledCorrect?: number;
  /** Numbers of the user's own metric, by their names. */
  readonly [own: string]: number | string | undefined;
}

/** What an evaluation holds of single rows. Lists have one entry per row. */
export interface MeasuredRows {
  readonly rowIds: readonly number[];
  /** Nats per token. */
  readonly rowLosses?: readonly number[];
  readonly rowTokens?: readonly number[];
  readonly rowCorrect?: readonly number[];
  readonly rowPassRate?: readonly number[];
  readonly samples?: number;
  /** Of the user's own metric, by name; empty lists where it has no number for each row. */
  readonly ownMetrics?: Readonly<Record<string, readonly number[]>>;
}

/** The outcomes that an evaluation tells of, in its order. */
export function problemsOf(
  { rowIds, rowLosses, rowTokens, rowCorrect, rowPassRate, samples, ownMetrics = {} }: MeasuredRows,
  cache?: string,
): ProblemOutcome[] {
  return rowIds.map((row, i) => ({
    row,
    ...(cache !== undefined && { cache }),
    ...(rowLosses && rowTokens && { nll: rowLosses[i]! * rowTokens[i]!, tokens: rowTokens[i]! }),
    ...(rowCorrect && { correct: rowCorrect[i]! }),
    ...(rowPassRate && samples && { samples, sampledCorrect: Math.round(rowPassRate[i]! * samples) }),
    ...Object.fromEntries(Object.entries(ownMetrics).flatMap(([name, of]) => (i in of ? [[name, of[i]!]] : []))),
  }));
}

/**
 * Writes `problems.jsonl`, whole or not at all. It follows from what the run has kept, so a continued run writes the same.
 * @param folder of the arm, below the run's; default the run's own
 */
export function writeProblems(
  run: Pick<RunFolder, "writeFile">,
  outcomes: readonly ProblemOutcome[],
  folder?: string,
): void {
  const name = "problems.jsonl";
  run.writeFile(
    folder === undefined ? name : `${folder}/${name}`,
    outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join(""),
  );
}

/**
 * Writes those of an arm that has an evaluation log, of its last line, or of that of the model that is saved; nothing where
 * it has none.
 */
export function writeLastProblems(
  run: Pick<RunFolder, "writeFile" | "evaluation">,
  { savedStep }: { savedStep?: number } = {},
): void {
  const last = lastEvaluation(run, savedStep);
  if (last !== undefined) writeProblems(run, problemsOf(last as unknown as MeasuredRows));
}

/** The last line of an evaluation log, or that of the step whose model is saved. */
export function lastEvaluation(
  { evaluation }: Pick<RunFolder, "evaluation">,
  savedStep: number | undefined,
): Record<string, unknown> | undefined {
  return savedLine(evaluation.records(), savedStep);
}
