import { UserError } from "../../system/errors.ts";
import type { RandomStream } from "../../system/random.ts";

/** How the next token is drawn from the model's distribution. */
export interface Sampling {
  /** Divides the logits; 0 takes the most likely token. */
  temperature: number;
  /** Only the k most likely tokens; of equally likely ones those with lower ids. */
  topK?: number | undefined;
  /** Only the most likely tokens that together reach this share of what `topK` left (nucleus, arXiv 1904.09751). */
  topP?: number | undefined;
}

/** The id of the largest logit, the lower one of equals. */
export function mostLikely(logits: Float32Array): number {
  let best = 0;
  let largest = logits[0]!;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id]!;
    if (logit > largest) {
      best = id;
      largest = logit;
    } else if (logit !== logit) refuseNaN(id);
  }
  return best;
}

/**
 * Draws an id from tokens that are as likely as `weights [V]` say, positive numbers or 0 with any sum; their logits'
 * temperature has been taken into account.
 * @throws UserError for weights that are not numbers
 */
export function drawToken(
  weights: Float32Array,
  { topK, topP }: Omit<Sampling, "temperature">,
  random: RandomStream,
): number {
  const everything = sum(weights);
  if (Number.isNaN(everything)) refuseNaN(weights.findIndex((weight) => Number.isNaN(weight)));
  let cut: Cut = { least: 0, lastId: -1, mass: everything };
  if (topK !== undefined && topK < weights.length) cut = cutAt(weights, cut, { count: topK, mass: Infinity });
  if (topP !== undefined && topP < 1) cut = cutAt(weights, cut, { count: Infinity, mass: topP * cut.mass });
  return pick(weights, cut, random.next() * cut.mass);
}

/** The tokens heavier than `least`, and those of weight `least` with ids up to `lastId`; `mass` is their weight. */
interface Cut {
  least: number;
  lastId: number;
  mass: number;
}

function isWithin(weight: number, id: number, { least, lastId }: Cut): boolean {
  return weight > least || (weight === least && id <= lastId);
}

/**
 * A float's bits order positive floats as their values do. Its upper bits, sign, exponent and seven of the mantissa, put
 * weights into boxes; only the box in which the limit is reached has to be sorted. Boxes are empty between calls.
 */
const BOX_SHIFT = 16;
const boxCount = new Float64Array(2 ** (31 - BOX_SHIFT));
const boxMass = new Float64Array(2 ** (31 - BOX_SHIFT));

/** The heaviest tokens within `cut`, as few as reach the count or the mass, at least one. */
function cutAt(weights: Float32Array, cut: Cut, limit: { count: number; mass: number }): Cut {
  const bits = new Int32Array(weights.buffer, weights.byteOffset, weights.length);
  let [lowest, highest] = [boxCount.length - 1, 0];
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id]!;
    if (!isWithin(weight, id, cut)) continue;
    const box = bits[id]! >>> BOX_SHIFT;
    boxCount[box]!++;
    boxMass[box]! += weight;
    if (box < lowest) lowest = box;
    if (box > highest) highest = box;
  }
  let box = highest;
  let [count, mass] = [0, 0];
  const isReached = (moreTokens: number, moreMass: number): boolean =>
    count + moreTokens >= limit.count || mass + moreMass >= limit.mass;
  while (box > lowest && !isReached(boxCount[box]!, boxMass[box]!)) {
    count += boxCount[box]!;
    mass += boxMass[box]!;
    box--;
  }
  boxCount.fill(0, lowest, highest + 1);
  boxMass.fill(0, lowest, highest + 1);
  const ids: number[] = [];
  for (let id = 0; id < weights.length; id++) {
    if (bits[id]! >>> BOX_SHIFT === box && isWithin(weights[id]!, id, cut)) ids.push(id);
  }
  ids.sort((a, b) => weights[b]! - weights[a]! || a - b);
  for (const id of ids) {
    const weight = weights[id]!;
    if (isReached(1, weight)) return { least: weight, lastId: id, mass: mass + weight };
    count++;
    mass += weight;
  }
  return cut; // rounding kept the sum below the limit
}

/** The token at which the running sum of weights passes `left`. */
function pick(weights: Float32Array, cut: Cut, left: number): number {
  let last = 0; // where rounding takes `left` past the sum's end
  for (let id = 0; id < weights.length; id++) {
    const weight = weights[id]!;
    if (!isWithin(weight, id, cut)) continue;
    left -= weight;
    last = id;
    if (left < 0) break;
  }
  return last;
}

function sum(weights: Float32Array): number {
  let total = 0;
  for (let id = 0; id < weights.length; id++) total += weights[id]!;
  return total;
}

function refuseNaN(id: number): never {
  throw new UserError("not-finite", `the model's output for token ${id} is not a number`, {
    fix: "Its weights are damaged, or its training has diverged: train again with a lower learning rate.",
  });
}
