import type { LossTerm, SignalGradient } from "../contract/index.ts";

/** Loss terms of a step by name, each `sum / mass` over all its micro-batches. */
export type Masses = Readonly<Record<string, number>>;

/**
 * Adds up numbers by name.
 *
 * @example
 * import { sumByName } from "tokensift/training";
 *
 * sumByName([{ nll: 0.75, kl: 0.01 }, { nll: 0.5, kl: 0.02 }]); //=> { nll: 1.25, kl: 0.03 }
 */
export function sumByName<K extends string>(parts: readonly Readonly<Record<K, number>>[]): Record<K, number> {
  const sums = {} as Record<K, number>;
  for (const part of parts) for (const name of Object.keys(part) as K[]) sums[name] = (sums[name] ?? 0) + part[name];
  return sums;
}

/**
 * What a micro-batch's terms add to the loss, by name; a term without mass in the step adds nothing.
 *
 * @example
 * import { partsOf } from "tokensift/training";
 *
 * const terms = { nll: { sum: 3, mass: 2 }, kl: { sum: 0, mass: 0 } };
 * partsOf(terms, { nll: 4, kl: 0 }); //=> { nll: 0.75, kl: 0 }
 */
export function partsOf(terms: Readonly<Record<string, LossTerm>>, masses: Masses): Record<string, number> {
  return Object.fromEntries(
    Object.entries(terms).map(([name, { sum }]) => {
      const mass = massOf(name, masses);
      return [name, mass === 0 ? 0 : sum / mass];
    }),
  );
}

/**
 * The gradient of the step's loss on a micro-batch's signals: every term's own, divided by the term's mass over the
 * whole step, so that the split into micro-batches changes nothing.
 *
 * @example
 * import { lossGradient } from "tokensift/training";
 *
 * // one micro-batch of two; both together have four tokens
 * const terms = { nll: { sum: 3, mass: 2, dLogProb: Float32Array.of(0, -1, -1) } };
 * lossGradient(terms, { nll: 4 }); //=> { logProb: [0, -0.25, -0.25] }
 */
export function lossGradient(terms: Readonly<Record<string, LossTerm>>, masses: Masses): SignalGradient {
  const divided = Object.entries(terms).flatMap(([name, term]) => {
    const mass = massOf(name, masses);
    return mass === 0 ? [] : [{ term, mass }];
  });
  const sumOf = (pick: (term: LossTerm) => Float32Array | undefined): Float32Array | undefined => {
    const given = divided.flatMap(({ term, mass }) => {
      const values = pick(term);
      return values === undefined ? [] : [{ values, mass }];
    });
    if (given.length === 0) return undefined;
    return given[0]!.values.map((_, i) => given.reduce((sum, { values, mass }) => sum + values[i]! / mass, 0));
  };
  const [logProb, forwardKl, score] = [sumOf((t) => t.dLogProb), sumOf((t) => t.dForwardKl), sumOf((t) => t.dScore)];
  const layers = divided.find(({ term }) => term.dGates !== undefined)?.term.dGates?.length ?? 0;
  const gates = Array.from({ length: layers }, (_, layer) => sumOf((term) => term.dGates?.[layer])!);
  return {
    ...(logProb && { logProb }),
    ...(forwardKl && { forwardKl }),
    ...(score && { score }),
    ...(layers > 0 && { gates }),
  };
}

/**
 * Whether any number of the gradient is not 0. A step without any leaves the model, and the optimizer, as they are.
 *
 * @example
 * import { hasGradient } from "tokensift/training";
 *
 * hasGradient({ logProb: Float32Array.of(0, -0.5) }); //=> true
 * hasGradient({ logProb: new Float32Array(2) }); //=> false
 */
export function hasGradient(gradient: SignalGradient): boolean {
  return Object.values(gradient)
    .flat()
    .some((values) => values.some((value) => value !== 0));
}

/** Throws an Error, as it is a mistake of the objective's, unless the terms' masses are those announced. */
export function requireAnnounced(found: Masses, announced: Masses): void {
  for (const [name, mass] of Object.entries(found)) {
    const whole = massOf(name, announced);
    if (Math.abs(mass - whole) > 1e-6 * Math.max(1, Math.abs(whole)))
      throw new Error(`The term ${name} has the mass ${mass} over the step, but ${whole} was announced.`);
  }
}

function massOf(name: string, masses: Masses): number {
  const mass = masses[name];
  if (mass === undefined) throw new Error(`No mass was announced for the term ${name}.`);
  return mass;
}
