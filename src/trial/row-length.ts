import type { Dataset, Row } from "../data/dataset.ts";
import { lengthReasons, tokensOfRow, type RowTokenOptions } from "../data/row-tokens.ts";
import { UserError } from "../system/errors.ts";
import type { Tokenizer } from "../text/index.ts";

/** Rows of a dataset that were not drawn, as they are too long. */
export interface LeftOut {
  /** The dataset's. */
  readonly name: string;
  readonly rows: number;
  readonly maxTokens: number | undefined;
}

/** Says of each row whether it can be drawn, and counts those that are too long. */
export interface LengthFilter extends LeftOut {
  fits(row: Row): boolean;
}

export function lengthFilter(of: Dataset, tokenizer: Tokenizer, options: RowTokenOptions): LengthFilter {
  let rows = 0;
  return {
    name: of.name,
    maxTokens: options.maxTokens,
    get rows() {
      return rows;
    },
    fits(row) {
      const tokens = tokensOfRow(row, tokenizer, options, () => of.where(row.rowId));
      if (!("skipped" in tokens)) return true;
      rows += Number(lengthReasons.includes(tokens.skipped));
      return false;
    },
  };
}

/** Fewer rows than this tell nothing. */
const fewest = 8;

/**
 * @param context the most tokens that the model reads
 * @throws UserError for too few rows, with the flag that would give more
 */
export function requireEnough(
  rows: number,
  part: string,
  { name, rows: tooLong, maxTokens }: LeftOut,
  context: number,
): void {
  if (rows >= fewest) return;
  const are = `there are ${rows} rows ${part}, and a trial needs ${fewest}`;
  if (tooLong === 0)
    throw new UserError("no-rows", are, {
      where: name,
      fix: "Give more rows (--rows), or rows without errors in a file of their own (--held-out).",
    });
  const fix =
    maxTokens !== undefined && maxTokens < context
      ? `Raise --max-tokens (up to ${context}, the model's context), or give shorter rows.`
      : `Give shorter rows: the model's context is ${context} tokens.`;
  throw new UserError("too-long", `${are}: ${tooLong} rows have more than ${maxTokens} tokens (--max-tokens)`, {
    where: name,
    fix,
  });
}
