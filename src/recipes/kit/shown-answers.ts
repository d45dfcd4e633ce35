import { lastTurn } from "../../data/last-turn.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import type { Tokenizer } from "../../text/index.ts";

/** A held-out problem with a model's most likely answer, for the page. Long texts are cut. */
export interface ShownAnswer {
  /** Row of the problem in the held-out data, from 0. */
  readonly row: number;
  readonly prompt: string;
  readonly reference: string;
  readonly answer: string;
  /** 1 = the answer is right. */
  readonly correct: number;
}

const most = 40;
const longest = 2_000;

/**
 * The first answers of an evaluation with their problems, for its line in the log.
 * @param answers of the first rows of `tokens`, in their order
 */
export function shownAnswers(
  tokens: TokenizedDataset,
  tokenizer: Pick<Tokenizer, "decode">,
  answers: readonly { text: string; correct: number }[],
): ShownAnswer[] {
  const textOf = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecialTokens: true });
  return answers.slice(0, most).map(({ text, correct }, index) => {
    const { prompt, response } = lastTurn(tokens, index);
    return {
      row: tokens.rowIds[index]!,
      prompt: cut(textOf(prompt)),
      reference: cut(textOf(response)),
      answer: cut(text),
      correct,
    };
  });
}

/** Of a long text the end, where the answer stands. */
function cut(text: string): string {
  return text.length > longest ? `… ${text.slice(-longest)}` : text;
}
