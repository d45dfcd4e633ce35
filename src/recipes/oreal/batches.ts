import type { TokenBatch } from "../../contract/index.ts";
import type { PolicyAux } from "../../reward/policy-objective.ts";
import type { StepBatch } from "../../training/step.ts";
import { UserError } from "../../system/errors.ts";
import { responseBatch, splitResponses } from "../kit/responses/index.ts";
import type { Rollouts } from "./rollouts.ts";

/** What responses came to, one entry each. */
export interface Worth {
  readonly right: ArrayLike<number>;
  readonly advantages: ArrayLike<number>;
  /** 1 = learnt from. */
  readonly kept: ArrayLike<number>;
}

/**
 * The kept responses behind their prompts, in micro-batches of similar length; row ids are places in
 * `rollouts.responses`. None where nothing is kept.
 */
export function keptBatches(
  { responses }: Rollouts,
  { right, advantages, kept }: Worth,
  rowsAtOnce: number,
): StepBatch<PolicyAux>[] {
  const places = [...responses.keys()].filter((k) => kept[k]);
  const tokensOf = new Map<number, number>(); // by question
  for (const k of places) {
    const { rowId, ids } = responses[k]!;
    tokensOf.set(rowId, (tokensOf.get(rowId) ?? 0) + ids.length);
  }
  return splitResponses(
    places.map((k) => responses[k]!),
    rowsAtOnce,
  ).map((group) => {
    const chosen = group.map((i) => places[i]!);
    const batch = responseBatch(
      chosen.map((k) => responses[k]!),
      chosen,
    );
    return {
      batch,
      aux: {
        right: chosen.map((k) => right[k]!),
        advantages: chosen.map((k) => advantages[k]!),
        questionTokens: chosen.map((k) => tokensOf.get(responses[k]!.rowId)!),
      },
    };
  });
}

/**
 * Log-probabilities `[rows * width]` that came with replayed responses, under the policy that drew them; undefined where
 * one of the batch has none.
 */
export function drawnLogProb({ logProbs }: Rollouts, batch: TokenBatch): Float32Array | undefined {
  const stored = Array.from(batch.rowIds, (k) => logProbs?.[k]);
  return stored.some((values) => values === undefined) ? undefined : placed(stored as Float32Array[], batch);
}

/**
 * A column of the replayed trajectories, `[rows * width]`, 0 outside responses.
 * @throws UserError where a response of the batch has no numbers in it
 */
export function columnOf({ columns, iteration }: Rollouts, name: string, batch: TokenBatch): Float32Array {
  const stored = Array.from(batch.rowIds, (k) => {
    const values = columns?.get(name)?.[k];
    if (values !== undefined) return values;
    throw new UserError("missing-signal", `the response has nothing in the column ${name}, and it is learnt from`, {
      where: `trajectories/iteration-${iteration + 1}.arrow, row ${k}`,
      fix: "Give it a number for each of response_ids.",
    });
  });
  return placed(stored, batch);
}

/** Numbers of each row's response in their places. */
function placed(rows: readonly Float32Array[], batch: TokenBatch): Float32Array {
  const result = new Float32Array(batch.ids.length);
  rows.forEach((values, row) => result.set(values, endOf(batch, row) - values.length));
  return result;
}

/** Where a row ends in `[rows * width]`; its response ends there, too. */
export function endOf({ width, lengths }: TokenBatch, row: number): number {
  return row * width + lengths[row]!;
}
