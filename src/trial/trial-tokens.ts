import { alignedColumn } from "../data/align.ts";
import type { Dataset, Row } from "../data/dataset.ts";
import { arraysOf, arrayStore, tokenizedDataset, type TokenizedDataset } from "../data/tokenized.ts";
import { tokenizeDataset, type TokenizeOptions } from "../data/tokens.ts";
import type { Tokenizer } from "../text/index.ts";
import type { LabelledRow } from "./labels.ts";
import { markWeight, withMarks } from "./marked-rows.ts";

/** The per-token column with 0 on tokens that are known to be wrong, else 1: what the oracle trains. */
export const rightColumn = "right";

/** Rows to train in a trial. */
export interface TrialTokens {
  /** With the column `rightColumn`. */
  readonly tokens: TokenizedDataset;
  /** Of each row that is judged, by its number in the data: 1 on wrong tokens of the response. */
  readonly marks: ReadonlyMap<number, Uint8Array>;
  /** A token that ends a turn is wrong. */
  readonly marksEnds: boolean;
}

type Options = Omit<TokenizeOptions, "cacheFolder">;

/** A dataset of some rows of another, as they are given. */
export function datasetOfRows(rows: readonly Row[], of: Dataset): Dataset {
  const { name, format, formatTitle, columns, fields, files, where } = of;
  return {
    ...{ name, format, formatTitle, columns, fields, files, where },
    length: rows.length,
    tokenColumns: undefined,
    fingerprint: "rows of a trial", // nothing of them is kept
    async *entries() {
      yield* rows;
    },
    async *rows() {
      yield* rows;
    },
    row: async (rowId) => rows.find((row) => row.rowId === rowId)!,
    close: async () => undefined,
  };
}

/** Tokens of rows as they are, without per-token columns. */
export function plainTokens(
  rows: readonly Row[],
  of: Dataset,
  tokenizer: Tokenizer,
  options: Options,
): Promise<TokenizedDataset> {
  const bare = rows.map((row) => ({ ...row, columns: {} }));
  return tokenizeDataset(datasetOfRows(bare, of), tokenizer, options);
}

/**
 * Tokens of rows with errors. Which tokens are wrong is found by tokenizing the rows a second time, with weights on
 * their wrong characters; the weights that the data have are those of the training all the same.
 *
 * @throws UserError for a list of labels that does not fit its row, and where the tokenizer does not say which
 * characters a token stands for
 */
export async function markedTokens(
  rows: readonly LabelledRow[],
  of: Dataset,
  tokenizer: Tokenizer,
  options: Options,
): Promise<TrialTokens> {
  const plain = rows.map(({ row }) => row);
  const tokens = await plainTokens(plain, of, tokenizer, options);
  const quiet = { ...options, onNotice: () => undefined };
  const weighed = rows.some(({ places }) => places.length > 0)
    ? await plainTokens(rows.map(withMarks), of, tokenizer, quiet)
    : undefined;
  const spanned = new Map(Array.from(weighed?.rowIds ?? [], (id, i) => [id, weighed!.row(i).dataWeights]));
  const labelled = new Map(rows.map((row) => [row.row.rowId, row]));
  const marks = new Map<number, Uint8Array>();
  const right = new Float32Array(tokens.offsets.at(-1)!).fill(1);
  let marksEnds = false;
  for (let i = 0; i < tokens.length; i++) {
    const { rowId, response, endOfTurn } = tokens.row(i);
    const row = labelled.get(rowId)!;
    if (!row.isJudged) continue;
    const list = row.numbers && alignedColumn(row.column ?? "labels", row.numbers, response, () => of.where(rowId));
    const weights = spanned.get(rowId);
    const lastEnd = endOfTurn.lastIndexOf(1);
    const wrong = response.map((mark, t) =>
      Number(
        mark === 1 &&
          (row.isWrong || (list?.[t] ?? 0) !== 0 || weights?.[t] === markWeight || (row.endsEarly && t === lastEnd)),
      ),
    );
    marks.set(rowId, wrong);
    marksEnds ||= wrong.some((mark, t) => mark === 1 && endOfTurn[t] === 1 && !row.isWrong);
    right.set(
      Float32Array.from(wrong, (mark) => 1 - mark),
      tokens.offsets[i],
    );
  }
  return { tokens: withColumn(tokens, rightColumn, right), marks, marksEnds };
}

/** The tokens with one more number each. */
function withColumn(tokens: TokenizedDataset, name: string, values: Float32Array): TokenizedDataset {
  const arrays = arraysOf(tokens);
  const store = arrayStore({ ...arrays, columns: { ...arrays.columns, [name]: values } });
  return tokenizedDataset({ ...tokens, store });
}

/** How many response tokens of the judged rows are wrong. */
export function countMarks({ tokens, marks }: Pick<TrialTokens, "tokens" | "marks">): {
  tokens: number;
  wrong: number;
  rows: number;
} {
  const counts = { tokens: 0, wrong: 0, rows: 0 };
  for (let i = 0; i < tokens.length; i++) {
    const { rowId, response } = tokens.row(i);
    const wrong = marks.get(rowId);
    if (wrong === undefined) continue;
    counts.tokens += response.reduce((sum, mark) => sum + mark, 0);
    const own = wrong.reduce((sum, mark) => sum + mark, 0);
    counts.wrong += own;
    counts.rows += Number(own > 0);
  }
  return counts;
}
