import { UserError } from "../../errors.ts";
import type { RandomStream } from "../../random.ts";

/** How the next token is drawn from the model's distribution. */
export interface Sampling {
  /** Divides the logits; 0 takes the most likely token. */
  temperature: number;
  /** Only the k most likely tokens; of equally likely ones those with lower ids. */
  topK?: number | undefined;
  /** Only the most likely tokens that together reach this share of what `topK` left (nucleus, arXiv 1904.09751). */
  topP?: number | undefined;
}

/**
 * Draws a token id from `logits [V]`; one number of the stream is used, none if the temperature is 0.
 * @throws UserError for logits that are not numbers
 */
export function sampleToken(logits: Float32Array, { temperature, topK, topP }: Sampling, random: RandomStream): number {
  const best = mostLikely(logits);
  if (temperature === 0) return best;
  const weigh = (id: number): number => Math.exp((logits[id]! - logits[best]!) / temperature);
  const considered = topK === undefined || topK >= logits.length ? ids(logits) : largest(logits, topK);
  const left = topP === undefined || topP >= 1 ? considered : nucleus(considered, weigh, topP);
  return draw(left, weigh, random.next());
}

/** The id of the largest logit, the lower one of equals. */
export function mostLikely(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    if (Number.isNaN(logits[id]))
      throw new UserError(`the model's output for token ${id} is not a number`, {
        fix: "Its weights are damaged, or its training has diverged: train again with a lower learning rate.",
      });
    if (logits[id]! > logits[best]!) best = id;
  }
  return best;
}

function ids(logits: Float32Array): Int32Array {
  return Int32Array.from(logits.keys());
}

function largest(logits: Float32Array, count: number): Int32Array {
  const threshold = logits.toSorted()[logits.length - count]!;
  const above = ids(logits).filter((id) => logits[id]! > threshold);
  const level = ids(logits).filter((id) => logits[id] === threshold);
  return Int32Array.from([...above, ...level.subarray(0, count - above.length)]);
}

/** The fewest tokens whose weights reach the share `topP` of all weights, at least one. */
function nucleus(considered: Int32Array, weigh: (id: number) => number, topP: number): Int32Array {
  const weights = Float64Array.from(considered, weigh);
  const total = weights.reduce((a, b) => a + b, 0);
  // Tokens lighter than this weigh less than 1 - topP of the total even together: the nucleus needs none of them,
  // and only the few others have to be sorted.
  const lightest = ((1 - topP) * total) / considered.length;
  const order = Array.from(weights.keys())
    .filter((i) => weights[i]! >= lightest)
    .sort((a, b) => weights[b]! - weights[a]! || considered[a]! - considered[b]!);
  let mass = 0;
  const end = order.findIndex((i) => (mass += weights[i]!) >= topP * total);
  return Int32Array.from(end < 0 ? order : order.slice(0, end + 1), (i) => considered[i]!);
}

/** The token at which the running sum of weights passes the share `uniform` of their total. */
function draw(considered: Int32Array, weigh: (id: number) => number, uniform: number): number {
  const weights = Float64Array.from(considered, weigh);
  let left = uniform * weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return considered[i]!;
  }
  return considered[weights.findLastIndex((weight) => weight > 0)]!; // rounding took the sum past its end
}
