import * as eviction from "../../src/eviction/index.ts";
import { scoreFrom } from "../eviction/score-from.ts";

export const names = Object.keys(eviction);

/** Two rows of two heads: every score of the catalogue, a budget, and gates that decide with noise. */
export function numbers(): number[] {
  const shape = { rows: 2, width: 6, heads: 2, lengths: [6, 4] };
  const entries = Array.from({ length: 24 }, (_, i) => ((i * 7) % 11) / 11);
  const attention = (row: number, head: number, query: number): number[] =>
    Array.from({ length: query + 1 }, (_, key) => (1 + ((row + 2 * head + 3 * key) % 5)) / (4 * query + 4));
  const vectors = Float32Array.from([...entries, ...entries.toReversed()]); // of two numbers an entry
  const readable = { attention, keys: vectors, values: vectors.map((x) => 1 - x), states: vectors };
  const scores = eviction.evictionScores.entries.map(({ name }) =>
    scoreFrom(eviction.createFrom(eviction.evictionScores, { method: name }), shape, readable),
  );
  const gates = eviction.decideGates(
    Float32Array.from(entries),
    { ...shape, evictable: new Uint8Array(12).fill(1) },
    { relaxation: "gumbel", noise: { seed: 5, step: 2, layer: 1 } },
  );
  const kept = scores.flatMap((score) => [...eviction.keepBudget(score, shape, { ratio: 0.5, sinks: 1 })]);
  return [...scores.flatMap((score) => [...score]), ...kept, ...gates.keep, ...gates.value];
}
