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
  /** Under the gates' decisions, as at inference. */
  readonly hardLoss?: number;
  /** Under the gates' probabilities. */
  readonly softLoss?: number;
  readonly softHardGap?: number;
  /** Share of the evictable entries that the gates evict, over all, and of each layer and head. */
  readonly evicted?: number;
  readonly evictedByHead?: readonly (readonly number[])[];
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
  const sums = { full: 0, "straight-through": 0, soft: 0 };
  const counts: Record<string, number>[] = [];
  let [tokens, done] = [0, 0];
  for (const part of splitMicroBatches(validation, indices, config.evaluation.batchSize)) {
    const batch = makeBatch(validation, part);
    const run = async (kind: keyof typeof sums): Promise<Float32Array[]> => {
      const { sinks, window, rows } = config.gates;
      const options = { ...gateOptions, sinks, window, rows, relaxation: kind as Relaxation };
      const attention = kind === "full" ? undefined : gatedPass(model, gates!, options);
      using pass = forward(model, batch, { gradients: null, ...(attention && { attention }) });
      const { logProb } = await pass.read(["logProb"]);
      logProb.forEach((value, i) => (sums[kind] -= batch.response[i] ? value : 0));
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
    tokens += batch.response.reduce((sum, mark, i) => sum + (i % batch.width === 0 ? 0 : mark), 0);
    onProgress((done += part.length), indices.length);
    await letEventsIn();
  }
  const loss = sums.full / tokens;
  if (gates === undefined) return { rows: indices.length, loss };
  const [hardLoss, softLoss] = [sums["straight-through"] / tokens, sums.soft / tokens];
  const { evicted, evictedByHead } = joinCounts(counts);
  return { rows: indices.length, loss, hardLoss, softLoss, softHardGap: hardLoss - softLoss, evicted, evictedByHead };
}
