import { meanLoss, referenceProbability, rowLosses, type LossSum } from "../../evaluation/perplexity.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import { makeBatch, splitMicroBatches } from "../../data/batches.ts";
import { evictionCounts, joinCounts } from "../../eviction/gates/gate-objective.ts";
import { gatedPass } from "../../eviction/gates/gated-pass.ts";
import { decideGates, type Relaxation } from "../../eviction/gate-decision.ts";
import { forward } from "../../model/forward.ts";
import { gatedShape, type GateWork } from "./work.ts";

/** Mean losses of the held-out response tokens, in nats. */
export interface GateLosses {
  readonly rows: number;
  /** With nothing evicted. */
  readonly loss: number;
  /** Mean over rows of the probability of the whole response, with nothing evicted. */
  readonly referenceProbability: number;
  /** Under the gates' decisions, as at inference. */
  readonly hardLoss?: number;
  readonly hardReferenceProbability?: number;
  /** Under the gates' probabilities. */
  readonly softLoss?: number;
  readonly softHardGap?: number;
  /** Share of the evictable entries that the gates evict, over all, and of each layer and head. */
  readonly evicted?: number;
  readonly evictedByHead?: readonly (readonly number[])[];
  /** One entry per row: its number in the data, its losses per token, its response tokens. */
  readonly rowIds: readonly number[];
  readonly rowLosses: readonly number[];
  readonly rowHardLosses?: readonly number[];
  readonly rowTokens: readonly number[];
}

/** Losses on the held-out rows with full, hard and soft attention. */
export async function evaluateLosses(
  work: GateWork,
  onProgress: (done: number, total: number) => void,
): Promise<GateLosses | undefined> {
  const { model, gates, gateOptions, config, inputs } = work;
  const { validation } = inputs;
  if (validation === undefined) return undefined;
  const indices = Array.from({ length: Math.min(validation.length, config.evaluation.rows ?? Infinity) }, (_, i) => i);
  const sums: Record<"full" | "straight-through" | "soft", LossSum[]> = { full: [], "straight-through": [], soft: [] };
  const counts: Record<string, number>[] = [];
  let done = 0;
  for (const part of splitMicroBatches(validation, indices, config.evaluation.batchSize)) {
    const batch = makeBatch(validation, part);
    const run = async (kind: keyof typeof sums): Promise<Float32Array[]> => {
      const { sinks, window, rows } = config.gates;
      const options = { ...gateOptions, sinks, window, rows, relaxation: kind as Relaxation };
      const attention = kind === "full" ? undefined : gatedPass(model, gates!, options);
      using pass = forward(model, batch, { gradients: null, ...(attention && { attention }) });
      const { logProb } = await pass.read(["logProb"]);
      const nll = logProb.map((value) => -value);
      rowLosses(nll, batch).forEach((sum, row) => (sums[kind][part[row]!] = sum));
      return attention ? [...(await pass.read(["gates"])).gates] : [];
    };
    await run("full");
    if (gates) {
      await run("soft");
      const probabilities = await run("straight-through");
      const shape = gatedShape(work, batch);
      counts.push(
        evictionCounts(
          probabilities.map((p) => decideGates(p, shape, gateOptions).keep),
          shape,
        ),
      );
    }
    onProgress((done += part.length), indices.length);
    await letEventsIn();
  }
  const { full, soft, "straight-through": hard } = sums;
  const [loss, softLoss, hardLoss] = [full, soft, hard].map(meanLoss) as [number, number, number];
  const perToken = (rows: readonly LossSum[]): number[] => rows.map(({ sum, tokens }) => sum / tokens);
  const ofRows = { rowIds: indices.map((index) => validation.rowIds[index]!), rowLosses: perToken(full) };
  return {
    ...{ rows: indices.length, loss, referenceProbability: referenceProbability(full) },
    ...(gates && { hardLoss, hardReferenceProbability: referenceProbability(hard) }),
    ...(gates && { softLoss, softHardGap: hardLoss - softLoss, ...evictedShares(counts) }),
    ...ofRows,
    ...(gates && { rowHardLosses: perToken(hard) }),
    rowTokens: full.map(({ tokens }) => tokens),
  };
}

function evictedShares(counts: readonly Record<string, number>[]): Pick<GateLosses, "evicted" | "evictedByHead"> {
  const { evicted, evictedByHead } = joinCounts(counts);
  return { evicted, evictedByHead };
}
