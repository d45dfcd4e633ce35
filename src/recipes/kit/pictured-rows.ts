import type { RowKind } from "../../config/report-group.ts";
import { makeBatch, splitMicroBatches } from "../../data/batches.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { rowLosses } from "../../evaluation/perplexity.ts";
import type { Model } from "../../model/model.ts";
import type { ChosenRows } from "../../report/chosen-rows.ts";
import { UserError } from "../../system/errors.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import { optional } from "../../system/optional.ts";
import { scoreLosses } from "../../training/sources.ts";

/** Which rows a page is to picture: some, by what is known of each, or those of these numbers. */
export type RowChoice = { readonly kind: RowKind; readonly count: number } | { readonly listed: readonly number[] };

/** What a configuration's `report` says of them. */
export function rowChoice(
  report: string | { rows?: RowKind | number[] | undefined; count?: number | undefined },
  usual: number,
): RowChoice {
  const { rows = "first", count = usual } = typeof report === "string" ? {} : report;
  return Array.isArray(rows) ? { listed: rows } : { kind: rows, count };
}

/** A row's loss in nats per response token, and what it was before. */
export interface RowLoss {
  readonly loss: number;
  readonly before?: number | undefined;
}

/**
 * The places of the rows that come first: the highest loss (`worst`), the lowest (`best`), or the largest difference between
 * now and before (`changed`). Rows that are equal stay in their order; a loss that is no number counts as the highest.
 */
export function ranked(kind: Exclude<RowKind, "first">, losses: readonly RowLoss[], count: number): number[] {
  const finite = (x: number): number => (Number.isNaN(x) ? Infinity : x);
  const value = ({ loss, before = NaN }: RowLoss): number => {
    if (kind === "changed") return finite(Math.abs(loss - before));
    return kind === "worst" ? finite(loss) : -finite(loss);
  };
  const values = losses.map(value);
  const places = values.map((_, place) => place);
  return places
    .sort((a, b) => Number(values[b]! > values[a]!) - Number(values[b]! < values[a]!) || a - b)
    .slice(0, count);
}

/**
 * The places of rows by their numbers in the data, in the order of the list.
 * @throws UserError for a number that no row has
 */
function placesOf(listed: readonly number[], rowIds: ArrayLike<number>, where: string): number[] {
  const places = new Map(Array.from(rowIds, (rowId, place) => [rowId, place]));
  return listed.map((wanted) => {
    const place = places.get(wanted);
    if (place !== undefined) return place;
    const near = [...places.keys()].reduce((best, id) => (Math.abs(id - wanted) < Math.abs(best - wanted) ? id : best));
    throw new UserError("unknown-row", `report.rows names row ${wanted}, which is not among the rows of ${where}`, {
      fix: `The nearest is row ${near}. Rows are counted from 0 over all files; those that are skipped or beyond a limit do not count.`,
    });
  });
}

/** Losses of rows (places in the dataset) under a model as it is, in nats per response token. */
export async function lossesOfRows(
  model: Model,
  tokens: TokenizedDataset,
  rows: readonly number[],
  { batchSize, onProgress }: { batchSize: number; onProgress(done: number, total: number): void },
): Promise<number[]> {
  const found = new Map<number, number>();
  for (const part of splitMicroBatches(tokens, rows, batchSize)) {
    const batch = makeBatch(tokens, part);
    const sums = rowLosses(await scoreLosses(model, batch), batch);
    sums.forEach(({ sum, tokens: count }, i) => found.set(part[i]!, sum / count));
    onProgress(found.size, rows.length);
    await letEventsIn();
  }
  return rows.map((row) => found.get(row)!);
}

/** What `tokens.json` says of the choice; nothing of the first rows. */
export function chosen(choice: RowChoice, among: number): { chosen?: ChosenRows } {
  if ("listed" in choice) return { chosen: { rows: "listed" } };
  return choice.kind === "first" ? {} : { chosen: { rows: choice.kind, among } };
}

/** What it says of a row that was chosen by its loss. */
export function lossFacts({ loss, before }: RowLoss): { loss: number; lossBefore?: number } {
  return { loss, ...optional({ lossBefore: before }) };
}

/**
 * The places of the rows that a configuration lists; none where it lists none.
 * @throws UserError for a number that no row has
 */
export function listedPlaces(
  report: Parameters<typeof rowChoice>[0],
  { rowIds }: { rowIds: ArrayLike<number> },
  where: string,
): number[] {
  const choice = rowChoice(report, 0);
  return "listed" in choice ? placesOf(choice.listed, rowIds, where) : [];
}
