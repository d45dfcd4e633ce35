import type { Signal, Tokens } from "../contract/index.ts";
import { finiteAt } from "./finite.ts";

/**
 * `from - minus` of two per-token losses, `[rows * width]`, 0 where `response` is 0.
 *
 * @throws UserError naming the signal, dataset row and token of a loss that is not finite
 */
export function excessLoss<A extends Signal, B extends Signal>(tokens: Tokens<A | B>, from: A, minus: B): Float32Array {
  const { response } = tokens;
  const difference = new Float32Array(response.length);
  for (let i = 0; i < difference.length; i++) {
    if (response[i]) difference[i] = finiteAt(tokens, from, i) - finiteAt(tokens, minus, i);
  }
  return difference;
}
