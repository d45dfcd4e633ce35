import type { LossTerm, TokenBatch } from "../../contract/index.ts";
import { makeBatch, rowsOfStep, splitMicroBatches } from "../../data/index.ts";
import { UserError } from "../../system/errors.ts";
import { decideGates, gatedBatch, gatedPass, realisedEviction } from "../../eviction/index.ts";
import type { GatedShape } from "../../eviction/index.ts";
import { forward, type GradientStore } from "../../model/index.ts";
import type { ObjectiveBatch } from "../../training/index.ts";
import type { GateSignal, GateStep, GateWork } from "./work.ts";

/** The rows of an optimizer step in micro-batches, each with its pass and what is made of it. */
export function prepareStep(work: GateWork, step: number, gradients: GradientStore): GateStep {
  const { config, materials, gates, loss } = work;
  const { seed, batchSize, microBatchSize = batchSize } = config.training;
  const { tokens } = materials;
  const rows = rowsOfStep(tokens, { seed, batchSize, shuffle: config.data.shuffle }, step);
  const parts = splitMicroBatches(tokens, rows, microBatchSize).map((part) => makeBatch(tokens, part));
  const shapes = parts.map((batch) => gatedShape(work, batch));
  const evictableRows = shapes.reduce((sum, shape) => sum + rowsWithEvictable(shape), 0);
  const trained = parts.reduce((sum, batch) => sum + trainedTokens(batch), 0);
  const pooled = loss.settings.rows === "pooled";
  return {
    batches: parts.map((batch, part) => microBatch(work, batch, shapes[part]!, step, gradients)),
    needs: gates ? ["logProb", "gates"] : ["logProb"],
    masses: { nll: trained, ...(gates && { eviction: pooled ? Math.min(1, evictableRows) : evictableRows }) },
    rows: rows.length,
    tokens: parts.reduce((sum, { lengths }) => sum + lengths.reduce((a, b) => a + b, 0), 0),
  };
}

function microBatch(
  work: GateWork,
  batch: TokenBatch,
  shape: GatedShape,
  step: number,
  gradients: GradientStore,
): ObjectiveBatch<GateSignal> {
  const { model, gates, gateOptions, config, loss } = work;
  const noise = { seed: config.training.seed, step };
  const { sinks, window, rows } = config.gates;
  const attention = gates && gatedPass(model, gates, { ...gateOptions, sinks, window, rows, noise });
  return {
    pass: () => forward(model, batch, { gradients, ...(attention && { attention }) }),
    judge({ logProb, gates: probabilities }) {
      const nll = nllTerm(logProb, batch);
      if (gates === undefined) return { terms: { nll }, metrics: {} };
      const decisions = probabilities.map((p, layer) =>
        decideGates(p, { ...shape, rowIds: batch.rowIds }, { ...gateOptions, noise: { ...noise, layer } }),
      );
      const { term, metrics } = loss.at(
        decisions.map(({ value }) => value),
        shape,
        step,
      );
      const dGates = term.dGates.map((dValue, layer) => decisions[layer]!.backward(dValue));
      const keep = decisions.map((decision) => decision.keep);
      const counts = evictionCounts(keep, shape);
      return {
        terms: { nll, eviction: { ...term, dGates } },
        metrics: { ...counts, target: metrics.target, probability: meanProbability(probabilities, shape) },
      };
    },
  };
}

/** The batch's cache, with the tokens that a gate may evict. */
export function gatedShape({ model, config }: Pick<GateWork, "model" | "config">, batch: TokenBatch): GatedShape {
  const { sinks, window, rows } = config.gates;
  return gatedBatch(batch, model.config.keyValueHeads, rows, { sinks, window });
}

/** Sum over response tokens of their loss. */
function nllTerm(
  logProb: Float32Array,
  { response, rowIds, width }: TokenBatch,
): LossTerm & { dLogProb: Float32Array } {
  const dLogProb = new Float32Array(logProb.length);
  let [sum, mass] = [0, 0];
  for (let i = 0; i < logProb.length; i++) {
    if (!response[i] || i % width === 0) continue;
    if (!Number.isFinite(logProb[i]))
      throw new UserError(`The loss is ${-logProb[i]!}.`, {
        where: `row ${rowIds[Math.floor(i / width)]}, token ${i % width}`,
        fix: "The weights have left the range of numbers: lower training.learningRate or gates.learningRate.",
      });
    sum -= logProb[i]!;
    mass++;
    dLogProb[i] = -1;
  }
  return { sum, mass, dLogProb };
}

function trainedTokens({ response, width }: TokenBatch): number {
  return response.reduce((sum, mark, i) => sum + (i % width === 0 ? 0 : mark), 0);
}

function rowsWithEvictable({ rows, width, evictable }: GatedShape): number {
  let count = 0;
  for (let row = 0; row < rows; row++) count += Number(evictable.subarray(row * width, (row + 1) * width).includes(1));
  return count;
}

/** `evictable.L.H` and `evicted.L.H` of every layer and head, and how many entries there are at all. */
export function evictionCounts(keep: readonly Uint8Array[], shape: GatedShape): Record<string, number> {
  const { layers } = realisedEviction(keep, shape, shape.evictable);
  const real = Array.from(shape.lengths).reduce((a, b) => a + b, 0) * shape.heads * keep.length;
  const counts: Record<string, number> = { entries: real };
  layers.forEach(({ heads }, l) =>
    heads.forEach(({ evictable, evicted }, h) => {
      counts[`evictable.${l}.${h}`] = evictable;
      counts[`evicted.${l}.${h}`] = evicted;
    }),
  );
  return counts;
}

/** What was evicted over several batches: the share of what may be, by layer and head too, and of all. */
export function joinCounts(parts: readonly Readonly<Record<string, number>>[]): {
  evicted: number;
  evictedOfAll: number;
  evictedByHead: number[][];
} {
  const total = (prefix: string): number =>
    parts.reduce(
      (sum, part) =>
        sum + Object.entries(part).reduce((own, [key, value]) => own + (key.startsWith(prefix) ? value : 0), 0),
      0,
    );
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  const evictedByHead: number[][] = [];
  for (const key of Object.keys(parts[0] ?? {})) {
    const [kind, layer, head] = key.split(".");
    if (kind === "evicted")
      (evictedByHead[Number(layer)] ??= [])[Number(head)] = share(total(key), total(`evictable.${layer}.${head}`));
  }
  const evicted = total("evicted.");
  return {
    evicted: share(evicted, total("evictable.")),
    evictedOfAll: share(evicted, total("entries")),
    evictedByHead,
  };
}

function meanProbability(probabilities: readonly Float32Array[], { heads, evictable }: GatedShape): number {
  let [sum, count] = [0, 0];
  for (const layer of probabilities)
    layer.forEach((p, i) => {
      if (!evictable[Math.floor(i / heads)]) return;
      sum += p;
      count++;
    });
  return count === 0 ? 1 : sum / count;
}
