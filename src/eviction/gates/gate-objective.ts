/**
 * Attention-Gate in training (https://arxiv.org/abs/2410.12876): the loss of the tokens to be learnt under gated
 * attention, and the eviction loss that presses on the gates.
 *
 *     loss = -1/N sum w(i) log p(i)  +  alpha f(share kept - beta)
 *
 * with the weights that the data give to tokens, 1 as a rule, of which N are not 0.
 * The gradient on the gates' decisions goes to their probabilities by the relaxation that was chosen.
 */
import type { Objective, TokenLayout } from "../../contract/index.ts";
import { lossWeights } from "../../data/loss-weights.ts";
import { UserError } from "../../system/errors.ts";
import { realisedEviction } from "../accounting.ts";
import type { EvictionLoss } from "../eviction-loss.ts";
import { decideGates, type GateOptions } from "../gate-decision.ts";
import type { GatedShape } from "../shape.ts";

/** What the objective knows of a micro-batch besides its tokens. */
export interface GateAux {
  /** The batch's cache, with the tokens that a gate may evict. */
  readonly shape: GatedShape;
  /** Optimizer steps finished before this one: for the loss's ramp and the noise of decisions. */
  readonly step: number;
}

type GateSignal = "logProb" | "gates";

/**
 * The objective of gates in training: the response's loss in nats, and the eviction loss on what gates keep.
 *
 * @param loss the eviction loss; undefined for the same training without gates
 * @param options how gates decide; `seed` names the noise
 * @returns the objective with the terms `nll` and `eviction`; its metrics are counts of entries to add up over
 *   micro-batches (see `joinCounts`), the loss's `target` and the mean `probability` of evictable entries
 * @throws UserError, when evaluated, for a probability outside [0, 1] (naming row, token, head)
 * @see https://arxiv.org/abs/2410.12876
 */
export function gateObjective(
  loss: EvictionLoss | undefined,
  options: GateOptions & { seed?: number } = {},
): Objective<GateSignal, GateAux> {
  const { seed = 0, ...gateOptions } = options;
  const pooled = loss?.settings.rows === "pooled";
  return {
    reads: loss ? ["logProb", "gates"] : ["logProb"],
    masses(tokens, { shape }) {
      const nll = trainedTokens(tokens);
      if (loss === undefined) return { nll };
      const rows = rowsWithEvictable(shape);
      return { nll, eviction: pooled ? Math.min(1, rows) : rows };
    },
    evaluate({ logProb, gates }, tokens, { shape, step }) {
      const nll = nllTerm(logProb, tokens);
      if (loss === undefined) return { terms: { nll }, metrics: {} };
      const decisions = gates.map((probability, layer) =>
        decideGates(probability, { ...shape, rowIds: tokens.rowIds }, { ...gateOptions, noise: { seed, step, layer } }),
      );
      const { term, metrics } = loss.at(
        decisions.map(({ value }) => value),
        shape,
        step,
      );
      const dGates = term.dGates.map((dValue, layer) => decisions[layer]!.backward(dValue));
      const counts = evictionCounts(
        decisions.map(({ keep }) => keep),
        shape,
      );
      return {
        terms: { nll, eviction: { ...term, dGates } },
        metrics: { ...counts, target: metrics.target, probability: meanProbability(gates, shape) },
      };
    },
  };
}

/** Sum of the losses, weighed by the data. */
function nllTerm(logProb: Float32Array, tokens: TokenLayout) {
  const { rowIds, width } = tokens;
  const weights = lossWeights(tokens);
  const dLogProb = new Float32Array(logProb.length);
  let [sum, mass] = [0, 0];
  for (let i = 0; i < logProb.length; i++) {
    if (weights[i] === 0) continue;
    if (!Number.isFinite(logProb[i]))
      throw new UserError("not-finite", `The loss is ${-logProb[i]!}.`, {
        where: `row ${rowIds[Math.floor(i / width)]}, token ${i % width}`,
        fix: "The weights have left the range of numbers: lower training.learningRate or gates.learningRate.",
      });
    sum -= weights[i]! * logProb[i]!;
    mass++;
    dLogProb[i] = -weights[i]!;
  }
  return { sum, mass, dLogProb };
}

/** Tokens that something predicts and that have a weight. */
export function trainedTokens(tokens: TokenLayout): number {
  return lossWeights(tokens).reduce((count, weight) => count + Number(weight !== 0), 0);
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
