import { integersOf, numberList, kindOf, valueIn, WrongField, type Raw } from "./fields.ts";

/** Columns of a row that is tokenized already. */
export interface TokenColumns {
  ids?: string | undefined;
  labels?: string | undefined;
  responseMask?: string | undefined;
  completionMask?: string | undefined;
  lossMask?: string | undefined;
  assistantMask?: string | undefined;
  endOfTurn?: string | undefined;
  attentionMask?: string | undefined;
  positionIds?: string | undefined;
  textLengths?: string | undefined;
  textEnds?: string | undefined;
  textNumbers?: string | undefined;
}

/** Tokens without padding. */
export interface GivenTokens {
  ids: Int32Array;
  /** 1 = trained. */
  response: Uint8Array;
  /** What the author lets tokens count, where a mask says more than yes and no. */
  dataWeights?: Float32Array;
  /** 1 on tokens that end a response; absent where the row does not say. */
  endOfTurn?: Uint8Array;
  /** Where each text of a packed row begins; absent where the row holds one. */
  starts?: readonly number[];
  /** Which entries of the row's lists are its tokens, where padding was left out. */
  kept?: { from: number; to: number; of: number };
}

/**
 * Tokens with labels or a mask; without a column of these all train. Padding goes by `attention_mask`, on either side.
 * `position_ids` that begin again, or `seq_lengths`, divide a row into the texts that were packed into it.
 *
 * @returns why the row is left out, where it has no tokens or nothing that trains
 * @throws WrongField for lists of different lengths, labels that are other tokens, holes in the mask or the positions,
 *   lengths that do not add up
 */
export function readTokens(raw: Raw, columns: TokenColumns): GivenTokens | { skipped: string } {
  const all = integersOf(raw[columns.ids!], columns.ids!);
  if (all === null || all.length === 0) return { skipped: "no tokens" };
  const list: ListOf = (column, read = integersOf) => {
    const values = column === undefined ? null : read(raw[column], column);
    if (values !== null && values.length !== all.length)
      throw new WrongField(`"${column}" has ${values.length} entries, "${columns.ids}" has ${all.length}`);
    return values ?? undefined;
  };
  const attention = list(columns.attentionMask);
  const positions = list(columns.positionIds);
  const { from, to } = attention === undefined ? { from: 0, to: all.length } : attended(attention, columns);
  const ids = Int32Array.from(all.slice(from, to));
  const ends = list(columns.endOfTurn)?.slice(from, to);
  const isPlain = [columns.labels, ...masksOf(columns)].every((column) => column === undefined);
  const weights = isPlain ? all.map(() => 1) : weightsOf(list, columns, all);
  if (weights === undefined) return { skipped: "no response" };
  const counted = weights.slice(from, to);
  const response = Uint8Array.from(counted, (weight) => Number(weight !== 0));
  if (!response.includes(1)) return { skipped: "no response" };
  const told = [
    ...startsByLength(
      integersOf(valueIn(raw, columns.textLengths), columns.textLengths!) ?? undefined,
      all.length,
      columns,
    ),
    ...startsByEnds(integersOf(valueIn(raw, columns.textEnds), columns.textEnds!) ?? undefined, all.length, columns),
    ...changesOf(list(columns.textNumbers)),
  ];
  const starts = [
    ...startsOf(positions?.slice(from, to), attention?.slice(from, to), columns),
    ...told.flatMap((start) => (start > from && start < to ? [start - from] : [])),
  ];
  return {
    ids,
    response,
    ...(counted.some((weight) => weight !== 0 && weight !== 1) && { dataWeights: Float32Array.from(counted) }),
    ...(ends && { endOfTurn: Uint8Array.from(ends, (end, t) => Number(end !== 0 && response[t] === 1)) }),
    ...(starts.length > 1 && { starts: [...new Set(starts)].toSorted((a, b) => a - b) }),
    ...(to - from < all.length && { kept: { from, to, of: all.length } }),
  };
}

/** A column's list, which is as long as the tokens; undefined where the row has none. */
type ListOf = (
  column: string | undefined,
  read?: (value: unknown, column: string) => number[] | null,
) => number[] | undefined;

/** What each token counts: labels and masks multiplied. */
function weightsOf(list: ListOf, columns: TokenColumns, ids: readonly number[]): number[] | undefined {
  let weights: number[] | undefined;
  const multiply = (values: readonly number[]): void => {
    weights = values.map((value, t) => value * (weights?.[t] ?? 1));
  };
  const { labels } = columns;
  const marks = list(labels);
  if (marks !== undefined) {
    const shifted = marks.findIndex((label, t) => label !== -100 && label !== ids[t]);
    if (shifted >= 0) {
      const found = `entry ${shifted} of "${labels}" is ${marks[shifted]}, the token is ${ids[shifted]}`;
      throw new WrongField(`${found}: a label is -100 or its own token (labels are not shifted here)`);
    }
    multiply(marks.map((label) => Number(label !== -100)));
  }
  for (const column of masksOf(columns)) {
    const mask = list(column, finiteNumbersOf);
    if (mask !== undefined) multiply(mask);
  }
  return weights;
}

function masksOf(columns: TokenColumns): (string | undefined)[] {
  const { responseMask, completionMask, lossMask, assistantMask } = columns;
  return [responseMask, completionMask, lossMask, assistantMask];
}

function finiteNumbersOf(value: unknown, column: string): number[] | null {
  if (value === null || value === undefined) return null;
  const numbers = numberList(value);
  if (numbers?.every((number) => Number.isFinite(number)) === true) return numbers;
  throw new WrongField(`"${column}" is ${kindOf(value)}, not a list of numbers`);
}

/** The stretch of tokens that are not padding. */
function attended(mask: readonly number[], { attentionMask }: TokenColumns): { from: number; to: number } {
  const negative = mask.find((mark) => mark < 0);
  if (negative !== undefined)
    throw new WrongField(
      `"${attentionMask}" has ${negative}: a mask is 1 where a token is and 0 on padding, not a number to be added to scores`,
    );
  const from = mask.findIndex((mark) => mark !== 0);
  const to = mask.findLastIndex((mark) => mark !== 0) + 1;
  const hole = mask.findIndex((mark, t) => mark === 0 && t > from && t < to);
  if (from >= 0 && hole >= 0)
    throw new WrongField(`"${attentionMask}" hides entry ${hole} between tokens: only padding at an end is read`);
  return { from: Math.max(0, from), to };
}

/** Where texts begin: by positions that begin again, or by an attention mask that numbers them. */
function startsOf(
  positions: readonly number[] | undefined,
  numbers: readonly number[] | undefined,
  { positionIds }: TokenColumns,
): number[] {
  const starts = [0];
  const length = positions?.length ?? numbers?.length ?? 0;
  for (let t = 1; t < length; t++) {
    const follows = positions === undefined || positions[t] === positions[t - 1]! + 1;
    const restarts = positions !== undefined && (positions[t] === 0 || positions[t] === positions[0]);
    if (!follows && !restarts)
      throw new WrongField(
        `entry ${t} of "${positionIds}" is ${positions[t]} after ${positions[t - 1]}: positions go up by 1 or begin again`,
      );
    if (!follows || numbers?.[t] !== numbers?.[t - 1]) starts.push(t);
  }
  return starts;
}

/** Where texts begin that have these lengths. */
function startsByLength(
  lengths: readonly number[] | undefined,
  tokens: number,
  { ids, textLengths }: TokenColumns,
): number[] {
  let end = 0;
  const starts: number[] = [];
  for (const length of lengths ?? []) {
    if (length > 0) starts.push(end);
    end += Math.max(0, length);
  }
  if (lengths !== undefined && end !== tokens)
    throw new WrongField(`the lengths in "${textLengths}" add up to ${end}, and "${ids}" has ${tokens} entries`);
  return starts;
}

/** Where texts begin of which the row says where each ends: 0, 3, 7 for texts of 3 and 4 tokens. */
function startsByEnds(ends: readonly number[] | undefined, tokens: number, { ids, textEnds }: TokenColumns): number[] {
  if (ends === undefined) return [];
  const grows = ends.every((end, i) => (i === 0 ? end === 0 : end >= ends[i - 1]!));
  if (!grows || ends.at(-1) !== tokens)
    throw new WrongField(`"${textEnds}" does not go up from 0 to the ${tokens} entries of "${ids}"`);
  return ends.slice(0, -1);
}

/** Where a list has another number than just before. */
function changesOf(numbers: readonly number[] = []): number[] {
  return numbers.flatMap((number, t) => (t > 0 && number !== numbers[t - 1] ? [t] : []));
}
