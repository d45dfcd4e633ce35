import { lastTurn } from "../../data/last-turn.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import type { Tokenizer } from "../../text/index.ts";
import type { RunFolder } from "../../training/run-folder.ts";
import type { Judged } from "./responses/index.ts";

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

/**
 * Writes `answers.json`, for the page of a recipe whose answers are no part of its evaluations: those before, and those after,
 * to the first held-out rows.
 */
export function writeShownAnswers(
  run: Pick<RunFolder, "writeFile">,
  { held, tokenizer }: { held: TokenizedDataset; tokenizer: Pick<Tokenizer, "decode"> },
  sides: { readonly before: readonly Judged[]; readonly after: readonly Judged[] },
): void {
  const shown = Object.entries(sides).map(([side, answers]) => {
    const judged = answers.map(({ text, verdict }) => ({ text, correct: Number(verdict === "correct") }));
    return [side, shownAnswers(held, tokenizer, judged)] as const;
  });
  run.writeFile("answers.json", `${JSON.stringify(Object.fromEntries(shown))}\n`);
}

/** Of a long text the end, where the answer stands. */
function cut(text: string): string {
  return text.length > longest ? `… ${text.slice(-longest)}` : text;
}
