import type { RuleContext, Signal, TokenRule, Tokens } from "../contract/index.ts";
import { keepingScore } from "./arms.ts";
import type { WatchedRow } from "./detection.ts";

/** A rule that notes what it does to rows whose wrong tokens are known. */
export interface WatchedRule {
  readonly rule: TokenRule;
  /** By the row's number in the data: what was done to it when it was last trained. */
  readonly rows: ReadonlyMap<number, WatchedRow>;
}

/**
 * The same rule, watched from the step on in which it chooses by its own score.
 * @param marks of rows that are judged: 1 on wrong tokens
 * @param from dataset rows trained before that step
 */
export function watched(rule: TokenRule, marks: ReadonlyMap<number, Uint8Array>, from: number): WatchedRule {
  const rows = new Map<number, WatchedRow>();
  const score = keepingScore(rule);
  return {
    rows,
    rule: {
      ...rule,
      weigh(tokens, context) {
        const weights = rule.weigh(tokens, context);
        if (context.samplesSeen >= from) note(tokens, weights, context);
        return weights;
      },
    },
  };

  function note(tokens: Tokens<Signal>, weights: Float32Array, context: RuleContext): void {
    const scores = score?.(tokens, context);
    for (let b = 0; b < tokens.rows; b++) {
      const marked = marks.get(tokens.rowIds[b]!);
      if (marked === undefined) continue;
      const places = [...marked.keys()].filter((t) => tokens.response[b * tokens.width + t] === 1);
      const at = (t: number): number => b * tokens.width + t;
      rows.set(tokens.rowIds[b]!, {
        wrong: Uint8Array.from(places, (t) => marked[t]!),
        dropped: Uint8Array.from(places, (t) => Number(weights[at(t)] === 0)),
        ...(scores && { scores: Float32Array.from(places, (t) => scores[at(t)]!) }),
      });
    }
  }
}

/** The rows of several runs, each row's tokens behind each other: tokens of one row are drawn together. */
export function pooledRows(runs: readonly ReadonlyMap<number, WatchedRow>[]): WatchedRow[] {
  const parts = new Map<number, WatchedRow[]>();
  for (const run of runs) for (const [id, row] of run) parts.set(id, [...(parts.get(id) ?? []), row]);
  return [...parts.values()].map((rows) => ({
    wrong: Uint8Array.from(rows.flatMap(({ wrong }) => [...wrong])),
    dropped: Uint8Array.from(rows.flatMap(({ dropped }) => [...dropped])),
    ...(rows.every(({ scores }) => scores !== undefined) && {
      scores: Float32Array.from(rows.flatMap(({ scores }) => [...scores!])),
    }),
  }));
}
