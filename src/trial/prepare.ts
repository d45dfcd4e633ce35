import type { Dataset, Row } from "../data/dataset.ts";
import type { TokenizedDataset } from "../data/tokenized.ts";
import type { TokenizeOptions } from "../data/tokens.ts";
import { UserError } from "../system/errors.ts";
import type { Tokenizer } from "../text/index.ts";
import type { PlantingKind } from "./kinds/kind.ts";
import { isFoundRight, plantedRow, type LabelColumn, type LabelledRow } from "./labels.ts";
import { answerOf } from "./marked-rows.ts";
import { plantRows } from "./plant-rows.ts";
import { remarksOn, turnedRound } from "./remarks.ts";
import { lengthFilter, requireEnough } from "./row-length.ts";
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
  /** What is to be known of the rows is told to `onNotice`. */
  readonly tokenizing: Omit<TokenizeOptions, "cacheFolder">;
  /** The most tokens that the model reads. */
  readonly context: number;
}

/** The rows of a trial as tokens. */
export interface PreparedRows {
  readonly trained: TrialTokens;
  /** Without errors, as far as anybody knows. */
  readonly heldOut: TokenizedDataset;
  /** Of the response tokens of judged rows. */
  readonly wrong: ReturnType<typeof countMarks>;
}

/**
 * Draws rows, holds some of them out as they are, and plants errors into the others or takes them as a column marks them.
 * @throws UserError for too few rows, and where no error is among the rows to train
 */
export async function prepareRows(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: PrepareOptions,
): Promise<PreparedRows> {
  const { errors, heldOutData, tokenizing, context } = options;
  const length = lengthFilter(dataset, tokenizer, tokenizing);
  const drawn = await drawnRows(dataset, options, length.fits);
  const isShort = drawn.rows.length + drawn.heldOut.length < options.rows; // else too long rows are not missed
  const missed = isShort ? length : { ...length, rows: 0 };
  requireEnough(drawn.trained.length, "to train", missed, context);
  if ("kinds" in errors) requireText(drawn.rows, dataset);
  const trained = await markedTokens(drawn.trained, dataset, tokenizer, tokenizing);
  const wrong = countMarks(trained);
  if (wrong.wrong === 0) throw noErrors(errors, dataset);
  const heldOutLength = heldOutData && lengthFilter(heldOutData, tokenizer, tokenizing);
  const heldOutRows =
    heldOutData === undefined
      ? drawn.heldOut
      : await drawRows(heldOutData, options.heldOut, shuffled(heldOutData.length, options.seed), heldOutLength!.fits);
  requireEnough(heldOutRows.length, "held out", heldOutLength ?? missed, context);
  const heldOut = await plainTokens(heldOutRows, heldOutData ?? dataset, tokenizer, tokenizing);
  const remarks = [
    ...remarksOn({ trained: drawn.rows, heldOut: heldOutRows }, [length, ...(heldOutLength ? [heldOutLength] : [])]),
    ...("kinds" in errors ? [] : turnedRound(errors.name, wrong)),
  ];
  for (const remark of remarks) tokenizing.onNotice?.(remark);
  return { trained, heldOut, wrong };
}

/**
 * The rows to train with what is wrong in them and, as `rows`, as the data have them; and those that are held out.
 */
async function drawnRows(
  dataset: Dataset,
  { errors, rows: count, heldOut: most, seed, heldOutData }: PrepareOptions,
  fits: (row: Row) => boolean,
): Promise<{ trained: LabelledRow[]; rows: Row[]; heldOut: Row[] }> {
  const order = shuffled(dataset.length, seed);
  if ("kinds" in errors) {
    const rows = await drawRows(dataset, count, order, fits);
    const part = { count: heldOutData ? 0 : Math.min(most, Math.floor(rows.length / 4)), seed, mayBeHeld: () => true };
    const { trained, heldOut } = partRows(rows, part);
    return { trained: plantRows(trained, { ...errors, seed }).map(plantedRow), rows: trained, heldOut };
  }
  const judged = new Set(errors.rowIds);
  const judgedFirst = order.toSorted((a, b) => Number(judged.has(b)) - Number(judged.has(a)));
  const rows = (await drawRows(dataset, count, judgedFirst, fits)).map(errors.label);
  const right = rows.filter(isFoundRight).length;
  const held = heldOutData ? 0 : Math.min(most, Math.floor(rows.length / 4), Math.floor(right / 2));
  const { trained, heldOut } = partRows(rows, { count: held, seed, mayBeHeld: isFoundRight });
  const rowOf = ({ row }: LabelledRow): Row => row;
  return { trained, rows: trained.map(rowOf), heldOut: heldOut.map(rowOf) };
}

function requireText(rows: readonly Row[], { name }: Dataset): void {
  if (rows.some((row) => answerOf(row) !== undefined)) return;
  throw new UserError("no-response", "errors are planted into text, and the answers of these rows are not text", {
    where: name,
    fix: "Give rows of text, or mark wrong tokens in a column (--labels).",
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
