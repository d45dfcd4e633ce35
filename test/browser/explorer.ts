import { weighExplored, type ExploredRow, rulesFor, turnable } from "../../src/report/explorer/weigh.ts";

/** Two rows of which every rule can be asked that needs no reference and no column. */
export const rows: readonly ExploredRow[] = [4, 7].map((rowId) => {
  const numbers = (factor: number): (number | null)[] =>
    Array.from({ length: rowId + 2 }, (_, t) => (t < 2 ? null : Math.fround(((t * factor + rowId) % 11) / 10)));
  return {
    rowId,
    response: numbers(1).map((value) => Number(value !== null)),
    endOfTurn: numbers(1).map((_, t) => Number(t === rowId + 1)),
    signals: { nll: numbers(3), historyNll: numbers(5), promptAttention: numbers(7), entropy: numbers(2) },
  };
});

export const names = rulesFor(rows).map((rule) => `${rule.name} ${turnable(rule).map(({ name }) => name)}`);

/** Weights and scores under each rule that can be asked. */
export function numbers(): number[] {
  const context = { step: 3, samplesSeen: 40, seed: 5 };
  return rulesFor(rows).flatMap((rule) =>
    weighExplored(rows, rule.name, {}, context).flatMap(({ weights, score }) => [
      ...weights,
      ...score.map((value) => value ?? -1),
    ]),
  );
}
