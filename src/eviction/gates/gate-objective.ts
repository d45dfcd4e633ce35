/**
 * Attention-Gate in training (https://arxiv.org/abs/2410.12876): the loss of the tokens to be learnt under gated
 * attention, and the eviction loss that presses on the gates.
 *
 *     loss = -1/N sum w(i) log p(i)  +  alpha f(share kept - beta)
 *
 * or, distilled (ours), how far the model moves from what it says over all entries:
 *
 *     loss = 1/N sum w(i) KL(p without gates || p)(i)  +  alpha f(share kept - beta)
 *
 * with the weights that the data give to tokens, 1 as a rule, of which N are not 0.
 * The gradient on the gates' decisions goes to their probabilities by the relaxation that was chosen.
 */
import type { LossTerm, Objective, TokenLayout } from "../../contract/index.ts";
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

export interface GateObjectiveOptions extends GateOptions {
  /** Names the noise of decisions. Default 0. */
  readonly seed?: number;
}

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
  options: GateObjectiveOptions = {},
): Objective<"logProb" | "gates", GateAux> {
  return underGates(tokensToLearn, loss, options);
}

/**
 * The objective of gates that leave the model as it is: how far its distribution under gates is from that over all entries,
 * `KL(without ‖ with gates)` in nats, and the eviction loss. Ours.
 *
 * @param loss the eviction loss
 * @param options how gates decide
 * @returns the objective with the terms `distill` and `eviction`; its metrics are those of `gateObjective`
 * @throws UserError, when evaluated, for a probability outside [0, 1] (naming row, token, head)
 */
export function distillObjective(
  loss: EvictionLoss,
  options: GateObjectiveOptions = {},
): Objective<"forwardKl" | "gates", GateAux> {
  return underGates(modelToKeep, loss, options);
}

function underGates<S extends "logProb" | "forwardKl">(
  lesson: Lesson<S>,
  loss: EvictionLoss | undefined,
  { seed = 0, ...gateOptions }: GateObjectiveOptions,
): Objective<S | "gates", GateAux> {
  const pooled = loss?.settings.rows === "pooled";
  return {
    reads: loss ? [lesson.reads, "gates"] : [lesson.reads],
    masses(tokens, { shape }) {
      const learnt = { [lesson.term]: trainedTokens(tokens) };
      if (loss === undefined) return learnt;
      const rows = rowsWithEvictable(shape);
      return { ...learnt, eviction: pooled ? Math.min(1, rows) : rows };
    },
    evaluate(signals, tokens, { shape, step }) {
      const learnt = { [lesson.term]: lesson.of(signals[lesson.reads], tokens) };
      if (loss === undefined) return { terms: learnt, metrics: {} };
      const { gates } = signals;
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
        terms: { ...learnt, eviction: { ...term, dGates } },
        metrics: { ...counts, target: metrics.target, probability: meanProbability(gates, shape) },
      };
    },
  };
}

/** What is read of every token, and the term that its losses are. */
interface Lesson<S extends "logProb" | "forwardKl"> {
  readonly reads: S;
  readonly term: string;
  of(signal: Float32Array, tokens: TokenLayout): LossTerm;
}

const tokensToLearn: Lesson<"logProb"> = {
  reads: "logProb",
  term: "nll",
  of(logProb, tokens) {
    const { derivative, ...term } = weighed(logProb, tokens, -1);
    return { ...term, dLogProb: derivative };
  },
};

const modelToKeep: Lesson<"forwardKl"> = {
  reads: "forwardKl",
  term: "distill",
  of(divergence, tokens) {
    const { derivative, ...term } = weighed(divergence, tokens, 1);
    return { ...term, dForwardKl: derivative };
  },
};

/** Sum over tokens of `sign * value`, weighed by the data, and its derivative. */
function weighed(values: Float32Array, tokens: TokenLayout, sign: 1 | -1) {
  const { rowIds, width } = tokens;
  const weights = lossWeights(tokens);
  const derivative = new Float32Array(values.length);
  let [sum, mass] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    if (weights[i] === 0) continue;
    if (!Number.isFinite(values[i]))
      throw new UserError("not-finite", `The loss is ${sign * values[i]!}.`, {
        where: `row ${rowIds[Math.floor(i / width)]}, token ${i % width}`,
        fix: "The weights have left the range of numbers: lower training.learningRate or gates.learningRate.",
      });
    derivative[i] = sign * weights[i]!;
    sum += derivative[i]! * values[i]!;
    mass++;
  }
  return { sum, mass, derivative };
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
