import type { Signal, Tokens } from "../contract/index.ts";
import { UserError } from "../errors.ts";

/**
 * `from - minus` of two per-token losses, `[rows * width]`, 0 where `response` is 0.
 *
 * @throws UserError naming the signal, dataset row and token of a loss that is not finite
 */
export function excessLoss<A extends Signal, B extends Signal>(tokens: Tokens<A | B>, from: A, minus: B): Float32Array {
  const a = tokens.signals[from];
  const b = tokens.signals[minus];
  const difference = new Float32Array(a.length);
  for (let i = 0; i < a.length; i++) {
    if (!tokens.response[i]) continue;
    difference[i] = finite(a[i]!, from, tokens, i) - finite(b[i]!, minus, tokens, i);
  }
  return difference;
}

function finite(value: number, signal: Signal, { rowIds, width }: Tokens, i: number): number {
  if (Number.isFinite(value)) return value;
  throw new UserError(`${signal} is ${value}; a ranking needs finite losses.`, {
    where: `row ${rowIds[Math.floor(i / width)]}, token ${i % width}`,
    fix: "Check the model that computes it, and the learning rate.",
  });
}
