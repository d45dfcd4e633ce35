import type { Dataset, Row } from "../data/dataset.ts";
import { tokensOfRow } from "../data/row-tokens.ts";
import type { TokenizedDataset } from "../data/tokenized.ts";
import type { TokenizeOptions } from "../data/tokens.ts";
import { UserError } from "../system/errors.ts";
import type { Tokenizer } from "../text/index.ts";
import type { PlantingKind } from "./kinds/kind.ts";
import { isFoundRight, plantedRow, type LabelColumn, type LabelledRow } from "./labels.ts";
import { answerOf } from "./marked-rows.ts";
import { plantRows } from "./plant-rows.ts";
import { drawRows, partRows, shuffled } from "./trial-rows.ts";
import { countMarks, markedTokens, plainTokens, type TrialTokens } from "./trial-tokens.ts";

/** Where errors come from: planted by kinds, or marked by a column. */
export type ErrorSource = { readonly kinds: readonly PlantingKind[]; readonly share: number } | LabelColumn;

export interface PrepareOptions {
  readonly errors: ErrorSource;
  /** Rows that are drawn, and how many of them are held out. */
  readonly rows: number;
  readonly heldOut: number;
  readonly seed: number;
  /** Rows to measure on, in place of some of the drawn ones. */
  readonly heldOutData?: Dataset | undefined;
  readonly tokenizing: Omit<TokenizeOptions, "cacheFolder">;
}

/** The rows of a trial as tokens. */
export interface PreparedRows {
  readonly trained: TrialTokens;
  /** Without errors, as far as anybody knows. */
  readonly heldOut: TokenizedDataset;
  /** Of the response tokens of judged rows. */
  readonly wrong: ReturnType<typeof countMarks>;
}

/** Fewer rows than this tell nothing. */
const fewest = 8;

/**
 * Draws rows, holds some of them out as they are, and plants errors into the others or takes them as a column marks them.
 * @throws UserError for too few rows, and where no error is among the rows to train
 */
export async function prepareRows(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: PrepareOptions,
): Promise<PreparedRows> {
  const { errors, heldOutData, tokenizing } = options;
  const fits = (of: Dataset) => (row: Row) =>
    !("skipped" in tokensOfRow(row, tokenizer, tokenizing, () => of.where(row.rowId)));
  const { trained: rows, heldOut: held } = await drawnRows(dataset, options, fits(dataset));
  requireEnough(rows.length, "to train", dataset);
  const trained = await markedTokens(rows, dataset, tokenizer, tokenizing);
  const wrong = countMarks(trained);
  if (wrong.wrong === 0) throw noErrors(errors, dataset);
  const heldOutRows =
    heldOutData === undefined
      ? held.map(({ row }) => row)
      : await drawRows(heldOutData, options.heldOut, shuffled(heldOutData.length, options.seed), fits(heldOutData));
  requireEnough(heldOutRows.length, "held out", heldOutData ?? dataset);
  const heldOut = await plainTokens(heldOutRows, heldOutData ?? dataset, tokenizer, tokenizing);
  return { trained, heldOut, wrong };
}

async function drawnRows(
  dataset: Dataset,
  { errors, rows: count, heldOut: most, seed, heldOutData }: PrepareOptions,
  fits: (row: Row) => boolean,
): Promise<{ trained: LabelledRow[]; heldOut: LabelledRow[] }> {
  const order = shuffled(dataset.length, seed);
  if ("kinds" in errors) {
    const rows = await drawRows(dataset, count, order, fits);
    requireText(
      rows.every((row) => answerOf(row) === undefined),
      dataset,
    );
    const part = { count: heldOutData ? 0 : Math.min(most, Math.floor(rows.length / 4)), seed, mayBeHeld: () => true };
    const { trained, heldOut } = partRows(rows, part);
    const planted = plantRows(trained, { ...errors, seed }).map(plantedRow);
    return { trained: planted, heldOut: heldOut.map((row) => plantedRow({ row, places: [], endsEarly: false })) };
  }
  const judged = new Set(errors.rowIds);
  const judgedFirst = order.toSorted((a, b) => Number(judged.has(b)) - Number(judged.has(a)));
  const rows = (await drawRows(dataset, count, judgedFirst, fits)).map(errors.label);
  const right = rows.filter(isFoundRight).length;
  const held = heldOutData ? 0 : Math.min(most, Math.floor(rows.length / 4), Math.floor(right / 2));
  return partRows(rows, { count: held, seed, mayBeHeld: isFoundRight });
}

function requireText(hasNone: boolean, { name }: Dataset): void {
  if (!hasNone) return;
  throw new UserError("no-response", "errors are planted into text, and the answers of these rows are not text", {
    where: name,
    fix: "Give rows of text, or mark wrong tokens in a column (--labels).",
  });
}

function requireEnough(rows: number, part: string, { name }: Dataset): void {
  if (rows >= fewest) return;
  throw new UserError("no-rows", `there are ${rows} rows ${part}, and a trial needs ${fewest}`, {
    where: name,
    fix: "Give more rows (--rows), or rows without errors in a file of their own (--held-out).",
  });
}

function noErrors(errors: ErrorSource, { name }: Dataset): UserError {
  if ("kinds" in errors)
    return new UserError("no-usable-rows", "no error could be planted: the answers have no place for one", {
      where: name,
      fix: "Name other kinds (--kinds), or a larger share (--share).",
    });
  return new UserError("no-usable-rows", `the column "${errors.name}" marks no response token as wrong`, {
    where: name,
    fix: "Marks are true, or 1 for each wrong token, or { start, end } of wrong characters.",
  });
}
