import { existsSync } from "node:fs";
import { join } from "node:path";
import { openArrow } from "../../data/arrow/read.ts";
import { writeArrow } from "../../data/arrow/write.ts";
import type { ColumnType } from "../../data/arrow/columns.ts";
import { UserError } from "../../system/errors.ts";
import {
  checkQuestions,
  givenResponse,
  longestOf,
  readResponses,
  responseColumns,
  responseRow,
  writeResponses,
  type Judged,
  type Surroundings,
} from "../kit/responses/index.ts";
import type { Rollouts } from "./rollouts.ts";

/** What an iteration made of a response. */
export interface Fate {
  readonly reward: number;
  /** Where it is a sum: what each reward gave, before its weight. */
  readonly rewards?: readonly number[];
  readonly advantage: number;
  readonly kept: boolean;
  /** Token weights of its tokens; null where it was not kept or none were learned. */
  readonly weights: Float32Array | null;
  /** Log-probabilities of its tokens under the policy that drew it, untruncated; null where it was not kept. */
  readonly logProb: Float32Array | null;
}

/** Columns of `trajectories/iteration-N.arrow`, one row per response. */
export const trajectoryColumns = {
  ...responseColumns,
  reward: "float64",
  advantage: "float64",
  kept: "bool",
  weights: "list<float32>",
  log_probs: "list<float32>",
} as const satisfies Record<string, ColumnType>;

/** Where the trajectories of an iteration (from 0) lie in a run folder. */
export function trajectoryPath(run: string, iteration: number): string {
  return join(run, trajectoryFile(iteration));
}

const trajectoryFile = (iteration: number): string => `trajectories/iteration-${iteration + 1}.arrow`;

/** The column beside them where rewards are a sum. */
const partsColumn = { rewards: "list<float64>" } as const satisfies Record<string, ColumnType>;

/** Greedy responses of an iteration, where advantages are told from them: judged, one to each question. */
const greedyFile = (iteration: number): string => `trajectories/greedy-${iteration + 1}.arrow`;

/** Writes what became of an iteration's responses. Returns the files' names in the run folder. */
export function writeTrajectories(run: string, rollouts: Rollouts, fates: readonly Fate[]): string[] {
  const { iteration, responses, greedy } = rollouts;
  const rows = responses.map((response, k) => {
    const { logProb, rewards, ...fate } = fates[k]!;
    return { ...responseRow(response), ...fate, log_probs: logProb, ...(rewards && { rewards }) };
  });
  const columns = fates[0]?.rewards === undefined ? trajectoryColumns : { ...trajectoryColumns, ...partsColumn };
  if (greedy !== undefined) writeResponses(join(run, greedyFile(iteration)), greedy);
  writeArrow(trajectoryPath(run, iteration), columns, rows);
  return [...(greedy === undefined ? [] : [greedyFile(iteration)]), trajectoryFile(iteration)];
}

/** What a stored iteration must go with. */
export interface ReplayFit extends Surroundings {
  vocabularySize: number;
  /** Whether greedy responses are read, too. */
  greedy: boolean;
  /** Further columns that are read, each with the least number that it may hold. */
  columns?: ReadonlyMap<string, number>;
  /** Told what is odd. */
  note: (sentence: string) => void;
}

/**
 * The responses of an earlier run's iteration. Rewards, advantages and weights are not read: they follow from the
 * settings. None is left out, or groups would not be whole.
 * @throws UserError where the iteration is missing, its file is damaged, or the model or the data are not those of it
 */
export function readTrajectories(run: string, iteration: number, fit: ReplayFit): Rollouts {
  const path = trajectoryPath(run, iteration);
  if (!existsSync(path))
    throw new UserError("missing-file", "there are no stored responses of this iteration", {
      where: path,
      fix: "Replay a run of at least as many iterations, or lower training.iterations.",
    });
  const responses = storedResponses(path, fit);
  const greedyPath = join(run, greedyFile(iteration));
  if (fit.greedy && !existsSync(greedyPath))
    throw new UserError("missing-file", "there are no stored greedy responses of this iteration", {
      where: greedyPath,
      fix: "Replay a run whose objective.advantage is greedy, or choose another advantage.",
    });
  const greedy = fit.greedy && { greedy: storedResponses(greedyPath, fit) };
  const columns = new Map(
    [...(fit.columns ?? [])].map(([name, least]) => [name, storedColumn(path, responses, { name, least })]),
  );
  return { iteration, responses, ...greedy, columns, logProbs: storedLogProbs(path, responses) };
}

function storedResponses(path: string, { vocabularySize, maxPositions, questions, note }: ReplayFit): Judged[] {
  const responses = readResponses(path, { vocabularySize });
  if (responses.length === 0)
    throw new UserError("no-response", "there is no response", {
      where: path,
      fix: "Replay a run whose trajectories are whole.",
    });
  const rows = responses.map(givenResponse);
  const odd = checkQuestions(path, rows, questions);
  if (odd !== undefined) note(odd);
  const long = rows.findIndex((row) => longestOf(row) > maxPositions);
  if (long >= 0)
    throw new UserError(
      "too-long",
      `${longestOf(rows[long]!)} tokens are more than the model's context of ${maxPositions}`,
      {
        where: `${path}, row ${long}`,
        fix: "Replay a run of a model with the same context, or of a longer one.",
      },
    );
  return responses;
}

function storedLogProbs(path: string, responses: readonly Judged[]): (Float32Array | undefined)[] {
  return numbersOfTokens(path, responses, {
    name: "log_probs",
    fits: (value) => Number.isFinite(value) && value <= 0,
    wanted: "one finite number, 0 or less,",
    fix: "Store the log-probabilities again, or leave the column out: the policy's own are taken then.",
  });
}

/** @throws UserError for a column that is not there, or does not hold a number for each token */
function storedColumn(
  path: string,
  responses: readonly Judged[],
  { name, least }: { name: string; least: number },
): (Float32Array | undefined)[] {
  const values = numbersOfTokens(path, responses, {
    name,
    fits: (value) => Number.isFinite(value) && value >= least,
    wanted: least === 0 ? "one finite number, 0 or more," : "one finite number",
    fix: "Write the column again, or name another.",
  });
  if (values.some((value) => value !== undefined)) return values;
  throw new UserError("missing-column", `there is no list column ${name} with a number for each token`, {
    where: path,
    fix: "Add it to the stored trajectories, or name another.",
  });
}

/** A list column with a number for each token; undefined where a response has none. */
function numbersOfTokens(
  path: string,
  responses: readonly Judged[],
  { name, fits, wanted, fix }: { name: string; fits: (value: number) => boolean; wanted: string; fix: string },
): (Float32Array | undefined)[] {
  const table = openArrow(path);
  try {
    return responses.map(({ ids }, index) => {
      const stored = table.row(index, [name])[name];
      if (stored === null || stored === undefined) return undefined;
      const values = numbersIn(stored);
      if (values?.length === ids.length && values.every(fits)) return values;
      throw new UserError("invalid-row", `${name} must hold ${wanted} for each of response_ids`, {
        where: `${path}, row ${index}`,
        fix,
      });
    });
  } finally {
    table.close();
  }
}

/** A list cell as numbers; undefined where it is of something else. */
function numbersIn(cell: unknown): Float32Array | undefined {
  if (cell instanceof BigInt64Array) return Float32Array.from(cell, Number);
  const flat = cell instanceof Float32Array || cell instanceof Float64Array || cell instanceof Int32Array;
  return flat ? Float32Array.from(cell) : undefined;
}

/** The earlier run that an arm replays: its own where it has one, else the main one. */
export function replayedRun(run: string, arm: string | undefined): string {
  const own = arm === undefined ? run : join(run, arm);
  const found = [own, run].find((folder) => existsSync(join(folder, "trajectories")));
  if (found !== undefined) return found;
  throw new UserError("no-run", "this run has no stored responses", {
    where: run,
    fix: "Name the folder of a run of trainers/oreal.ts, in which `trajectories` lies.",
  });
}
