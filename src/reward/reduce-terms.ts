import type { LossTerm } from "../contract/index.ts";

/** One optimizer step. */
export interface ReducedStep {
  readonly loss: number;
  /** Each term's part of `loss`, by name. */
  readonly parts: Record<string, number>;
  /** The gradient of `loss` on each micro-batch's numbers, `[rows * width]` each. */
  readonly gradients: Float32Array[];
}

/**
 * Loss and gradient of an optimizer step from the terms of its micro-batches: every term is divided by its own mass over
 * the whole step, so that the split into micro-batches changes nothing. A term without mass in the step is 0.
 *
 * @param batches the `terms` of each micro-batch; all hold the same names
 * @param gradient the name under which terms carry their gradient
 */
export function reduceTerms<G extends string>(
  batches: readonly Readonly<Record<string, LossTerm & { readonly [K in G]: Float32Array }>>[],
  gradient: G,
): ReducedStep {
  const masses = new Map<string, number>();
  for (const terms of batches)
    for (const [name, { mass }] of Object.entries(terms)) masses.set(name, (masses.get(name) ?? 0) + mass);
  const parts: Record<string, number> = {};
  const gradients = batches.map((terms) => {
    const total = new Float64Array(Object.values(terms)[0]?.[gradient].length ?? 0);
    for (const [name, term] of Object.entries(terms)) {
      const mass = masses.get(name)!;
      parts[name] = (parts[name] ?? 0) + (mass > 0 ? term.sum / mass : 0);
      if (mass > 0) term[gradient].forEach((g, i) => (total[i]! += g / mass));
    }
    return Float32Array.from(total);
  });
  return { loss: Object.values(parts).reduce((sum, part) => sum + part, 0), parts, gradients };
}
