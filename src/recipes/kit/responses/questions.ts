import { lastTurn } from "../../../data/last-turn.ts";
import type { AnswersOf } from "../../../data/answers.ts";
import type { TokenizedDataset } from "../../../data/tokenized.ts";
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
 * @param answersOf reference answers of rows; a row without one is answered by its own response
 * @param limit the first so many
 * @throws UserError for a row without a prompt, or without an answer
 */
export async function questionsOf(
  tokens: TokenizedDataset,
  { decode }: { decode(ids: readonly number[]): string },
  answersOf: AnswersOf = async () => new Map(),
  limit = Infinity,
): Promise<Question[]> {
  const rowIds = tokens.rowIds.subarray(0, limit);
  const answers = await answersOf(rowIds);
  return Array.from(rowIds, (rowId, index) => {
    const { prompt, response } = lastTurn(tokens, index);
    const reference = answers.get(rowId) ?? decode(response);
    const fix = "Give rows of questions with answers (question and answer, or prompt and answer).";
    if (prompt.length === 0)
      throw new UserError("missing-prompt", "the row has no prompt to answer", { where: `row ${rowId}`, fix });
    if (reference.trim() === "")
      throw new UserError("missing-answer", "the row has no reference answer", { where: `row ${rowId}`, fix });
    return { rowId, prompt, reference };
  });
}
