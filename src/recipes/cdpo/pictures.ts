import type { Tokenizer } from "../../text/index.ts";
import { mean } from "../../evaluation/mean.ts";
import type { ChosenRows } from "../../report/chosen-rows.ts";
import { chosen, lossFacts, ranked, type RowChoice, type RowLoss } from "../kit/pictured-rows.ts";
import { answerRow, type WeighedRow } from "../kit/token-rows.ts";
import type { PairedText, ScoredPair, TokenFacts } from "./files.ts";

/** One side of a pair: its tokens with how critical the contrast finds them. */
export interface CriticalRow extends WeighedRow {
  side: "chosen" | "rejected";
  finished: boolean;
}

/** Below it a token is called critical, as in the readout of the results. */
const criticalBelow = 0.5;

/**
 * What `tokens.json` holds: some pairs with both answers, none where the objectives read no estimate. `worst` and `best` are
 * by the loss of the right answer under the starting model.
 * @param note told of listed questions without a pair
 */
export function picturePairs(
  pairs: readonly ScoredPair[],
  tokenizer: Pick<Tokenizer, "piece">,
  choice: RowChoice,
  note: (sentence: string) => void,
): { chosen?: ChosenRows; rows: CriticalRow[] } {
  const losses = pairs.map(({ facts: { chosen } }): RowLoss => ({ loss: -mean([...chosen.reference]) }));
  const places = (): number[] => {
    if ("listed" in choice) return choice.listed.flatMap((question) => pairsOf(pairs, question, note));
    const { kind, count } = choice;
    return kind === "first" ? pairs.slice(0, count).map((_, place) => place) : ranked(kind, losses, count);
  };
  const isByLoss = "kind" in choice && choice.kind !== "first";
  const rows = places().flatMap((place) => {
    const { question, chosen: right, rejected: wrong, facts } = pairs[place]!;
    return [
      { side: "rejected" as const, text: wrong, fact: facts.rejected },
      { side: "chosen" as const, text: right, fact: facts.chosen },
    ].flatMap(({ side, text, fact }) => {
      const row = rowOf(question, text, fact, tokenizer);
      const loss = isByLoss && side === "chosen" ? lossFacts(losses[place]!) : {};
      return row === undefined ? [] : [{ ...row, side, finished: text.finished, ...loss }];
    });
  });
  return { ...chosen(choice, pairs.length), rows };
}

function pairsOf(pairs: readonly ScoredPair[], question: number, note: (sentence: string) => void): number[] {
  const places = pairs.flatMap((pair, place) => (pair.question === question ? [place] : []));
  if (places.length === 0) note(`report.rows: question ${question} has no pair of answers, and so no picture.`);
  return places;
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
