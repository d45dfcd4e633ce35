import { lastTurn, type TokenizedDataset } from "../../../data/index.ts";
import { UserError } from "../../../system/errors.ts";

/** A question with a known answer. */
export interface Question {
  /** Its row in the dataset. */
  readonly rowId: number;
  /** Token ids before the response. */
  readonly prompt: readonly number[];
  /** Text that holds the right answer. */
  readonly reference: string;
}

/**
 * The rows of a dataset as questions, in its order; what stands before a row's last response is the prompt.
 * @param answerOf reference answer of a row; default the row's own response
 * @param limit the first so many
 * @throws UserError for a row without a prompt, or without an answer
 */
export function questionsOf(
  tokens: TokenizedDataset,
  { decode }: { decode(ids: readonly number[]): string },
  answerOf: (rowId: number) => string | undefined = () => undefined,
  limit = Infinity,
): Question[] {
  return Array.from({ length: Math.min(tokens.length, limit) }, (_, index) => {
    const { prompt, response } = lastTurn(tokens, index);
    const rowId = tokens.rowIds[index]!;
    const reference = answerOf(rowId) ?? decode(response);
    const fix = "Give rows of questions with answers (question and answer, or prompt and answer).";
    if (prompt.length === 0) throw new UserError("the row has no prompt to answer", { where: `row ${rowId}`, fix });
    if (reference.trim() === "") throw new UserError("the row has no reference answer", { where: `row ${rowId}`, fix });
    return { rowId, prompt, reference };
  });
}
