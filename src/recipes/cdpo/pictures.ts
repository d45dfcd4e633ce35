import type { Tokenizer } from "../../text/index.ts";
import { answerRow, type WeighedRow } from "../kit/token-rows.ts";
import type { PairedText, ScoredPair, TokenFacts } from "./files.ts";

/** One side of a pair: its tokens with how critical the contrast finds them. */
export interface CriticalRow extends WeighedRow {
  side: "chosen" | "rejected";
  finished: boolean;
}

const picturedPairs = 4;

/** Below it a token is called critical, as in the readout of the results. */
const criticalBelow = 0.5;

/** The first pairs for the report's token pictures; none where the objectives read no estimate. */
export function picturePairs(pairs: readonly ScoredPair[], tokenizer: Pick<Tokenizer, "piece">): CriticalRow[] {
  return pairs.slice(0, picturedPairs).flatMap(({ question, chosen, rejected, facts }) =>
    [
      { side: "rejected" as const, text: rejected, fact: facts.rejected },
      { side: "chosen" as const, text: chosen, fact: facts.chosen },
    ].flatMap(({ side, text, fact }) => {
      const row = rowOf(question, text, fact, tokenizer);
      return row === undefined ? [] : [{ ...row, side, finished: text.finished }];
    }),
  );
}

function rowOf(
  rowId: number,
  { prompt, ids }: PairedText,
  { logEstimate }: TokenFacts,
  tokenizer: Pick<Tokenizer, "piece">,
): WeighedRow | undefined {
  if (logEstimate === undefined) return undefined;
  const estimate = Array.from(logEstimate, Math.exp);
  const score = estimate.map((s) => 1 - s);
  return {
    ...answerRow({ rowId, prompt, ids }, tokenizer, { score, scoreName: "1 − s" }),
    noise: [...prompt.map(() => 0), ...estimate.map((s) => Number(s < criticalBelow))],
  };
}
