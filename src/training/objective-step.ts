import type { Forward, ForwardSignals, LossTerm, SignalGradient } from "../contract/index.ts";

/** One micro-batch of an optimizer step under an objective. */
export interface ObjectiveBatch<K extends keyof ForwardSignals> {
  /** Runs the first phase; the pass is disposed of after its second. */
  pass(): Forward;
  /** The objective on what the pass gave. */
  judge(signals: Pick<ForwardSignals, K>): {
    terms: Readonly<Record<string, LossTerm>>;
    metrics: Readonly<Record<string, number>>;
  };
}

export interface ObjectiveOutcome {
  /** `sum / mass` of every term over the whole step, added up. */
  readonly loss: number;
  /** Each term's part of `loss`, by name. */
  readonly parts: Record<string, number>;
  /** The objective's metrics, one object per micro-batch. */
  readonly metrics: readonly Readonly<Record<string, number>>[];
}

/**
 * Forward, read, judge, backward over the micro-batches of one optimizer step; the passes' gradient store receives the
 * gradient of `loss` itself. Nothing is updated. Every term is divided by its own mass over the whole step, so the
 * split into micro-batches changes nothing; a term without mass has no part.
 *
 * @param masses of each term over the whole step: it must be known before the first backward pass
 * @throws Error if the terms' masses do not add up to those announced
 */
export async function accumulateObjective<K extends keyof ForwardSignals>(
  batches: readonly ObjectiveBatch<K>[],
  needs: readonly K[],
  masses: Readonly<Record<string, number>>,
): Promise<ObjectiveOutcome> {
  const parts: Record<string, number> = {};
  const metrics: Readonly<Record<string, number>>[] = [];
  const found = new Map<string, number>();
  for (const batch of batches) {
    using pass = batch.pass();
    const judged = batch.judge(await pass.read(needs));
    metrics.push(judged.metrics);
    for (const [name, { sum, mass }] of Object.entries(judged.terms)) {
      const whole = massOf(name, masses);
      found.set(name, (found.get(name) ?? 0) + mass);
      parts[name] = (parts[name] ?? 0) + (whole === 0 ? 0 : sum / whole);
    }
    pass.backward(gradientOf(judged.terms, masses));
  }
  for (const [name, mass] of found) {
    const whole = massOf(name, masses);
    if (Math.abs(mass - whole) > 1e-6 * Math.max(1, Math.abs(whole)))
      throw new Error(`The term ${name} has the mass ${mass} over the step, but ${whole} was announced.`);
  }
  return { loss: Object.values(parts).reduce((sum, part) => sum + part, 0), parts, metrics };
}

function massOf(name: string, masses: Readonly<Record<string, number>>): number {
  const mass = masses[name];
  if (mass === undefined) throw new Error(`No mass was announced for the term ${name}.`);
  return mass;
}

/** The gradient of the loss on a micro-batch's signals. */
function gradientOf(
  terms: Readonly<Record<string, LossTerm>>,
  masses: Readonly<Record<string, number>>,
): SignalGradient {
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
