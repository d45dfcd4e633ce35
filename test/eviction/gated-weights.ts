/**
 * What gates do to one query's attention: probabilities are multiplied by them and renormalised.
 *
 *     w_j = a_j g_j / Z,  Z = Σ_k a_k g_k        dL/dg_j = a_j / Z (dL/dw_j - Σ_k w_k dL/dw_k)
 *
 * The gradient is finite and not 0 where g_j = 0, so that an evicted token can come back: log g_j added to the score
 * would be NaN there, and a mask of -infinity has the gradient 0. Evicting a kept key alone moves the output
 * o = Σ w_k v_k by w_j / (1 - w_j) (o - v_j). Ours; for whole layers this is the definition a fused operation is held to.
 */
import type { Exemptions } from "../../src/eviction/exemptions.ts";
import { UserError } from "../../src/system/errors.ts";
import { checkSize } from "../../src/eviction/shape.ts";

/**
 * The attention that is left, `[keys]`, summing to 1.
 *
 * @param attention the query's probabilities over its keys, `[keys]`
 * @param gates `[keys]`, 1 on keys that are not gated for this query; its own key must be one of them
 * @throws UserError where nothing is left
 */
export function gatedWeights(attention: ArrayLike<number>, gates: ArrayLike<number>): Float64Array {
  const rest = rested(attention, gates);
  return Float64Array.from(attention, (a, j) => (a * gates[j]!) / rest);
}

/** Gradient on `gatedWeights`' result, `[keys]` -> gradient on its gates, `[keys]`. */
export function gatedWeightsGradient(
  attention: ArrayLike<number>,
  gates: ArrayLike<number>,
  dWeights: ArrayLike<number>,
): Float64Array {
  checkSize("The gradient on the attention", dWeights, attention.length);
  const rest = rested(attention, gates);
  const mean = gatedWeights(attention, gates).reduce((sum, w, j) => (w === 0 ? sum : sum + w * dWeights[j]!), 0);
  return Float64Array.from(attention, (a, j) => (a / rest) * (dWeights[j]! - mean));
}

function rested(attention: ArrayLike<number>, gates: ArrayLike<number>): number {
  checkSize("The gates", gates, attention.length);
  let rest = 0;
  for (let j = 0; j < attention.length; j++) rest += attention[j]! * gates[j]!;
  if (rest > 0) return rest;
  throw new UserError("nothing-to-divide-by", `The gates leave ${rest} of the query's attention.`, {
    fix: "Exempt the query's own key, and keep attention and gates at 0 or above.",
  });
}

/** Whether a gate decides if the query sees the key (`key <= query`); otherwise the query always sees it. */
export function isGated({ evictable, reach }: Exemptions, width: number, row: number, query: number, key: number) {
  return evictable[row * width + key] === 1 && query - key >= reach[row]!;
}
