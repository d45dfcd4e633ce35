import * as eviction from "../../src/eviction/index.ts";

export const names = Object.keys(eviction);

/** Two rows of two heads: SnapKV and the key norm within a budget, and gates that decide with noise. */
export function numbers(): number[] {
  const shape = { rows: 2, width: 6, heads: 2, lengths: [6, 4] };
  const entries = Array.from({ length: 24 }, (_, i) => ((i * 7) % 11) / 11);
  const pooled = eviction.snapKv({ window: 2, kernel: 3 }).score(shape, Float32Array.from(entries));
  const norms = eviction.keyNorm().score(shape, Float32Array.from([...entries, ...entries]));
  const gates = eviction.decideGates(
    Float32Array.from(entries),
    { ...shape, evictable: new Uint8Array(12).fill(1) },
    { relaxation: "gumbel", noise: { seed: 5, step: 2, layer: 1 } },
  );
  const kept = [pooled, norms].flatMap((score) => [...eviction.keepBudget(score, shape, { ratio: 0.5, sinks: 1 })]);
  return [...pooled, ...norms, ...kept, ...gates.keep, ...gates.value];
}
