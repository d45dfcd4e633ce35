import { permutation, shuffledOrder, type EpochOrderOptions, type Orderable } from "./epoch-order.ts";

/** Which rows are packed together. */
export interface PackingOptions extends EpochOrderOptions {
  /** Most tokens of a packed row. */
  packing: number;
}

/** An epoch's rows in packed rows: the one numbered k has `rows[starts[k]]` to before `rows[starts[k + 1]]`. */
interface PackedEpoch {
  readonly rows: Uint32Array;
  readonly starts: Uint32Array;
}

/** What is kept of a dataset's packings under one seed and budget. */
interface Packings {
  /** Packed rows up to the end of each epoch. */
  readonly ends: number[];
  /** The last epochs asked for. */
  readonly epochs: Map<number, PackedEpoch>;
}

/** Rows that are fitted together at once: at least so many, and at least as many as fill so many packed rows. */
const windowRows = 1024;
const windowBudgets = 64;

/**
 * The packed rows at `count` positions of the endless order, from `from` on: each a list of rows (indices into the
 * dataset) whose lengths sum to at most `packing`. Every epoch has each row once. Its rows, in their shuffled order, are
 * fitted together window by window (best fit, longest first), and the packed rows are shuffled again; without `shuffle`
 * rows that follow each other are joined for as long as they fit. A pure function of the lengths and its arguments.
 *
 * @throws RangeError for a row longer than `packing`
 */
export function packedRows(dataset: Orderable, options: PackingOptions, from: number, count: number): number[][] {
  const packed: number[][] = [];
  let epoch = epochOf(dataset, options, from);
  let place = from - firstOf(dataset, options, epoch);
  while (packed.length < count) {
    const { rows, starts } = packedEpoch(dataset, options, epoch);
    for (; place + 1 < starts.length && packed.length < count; place++)
      packed.push([...rows.subarray(starts[place], starts[place + 1])]);
    epoch++;
    place = 0;
  }
  return packed;
}

/** Packed rows of so many epochs; part of an epoch has its part of the packed rows. */
export function packedLength(dataset: Orderable, options: PackingOptions, epochs: number): number {
  const whole = Math.floor(epochs);
  const before = firstOf(dataset, options, whole);
  if (epochs === whole) return before;
  return before + (epochs - whole) * (firstOf(dataset, options, whole + 1) - before);
}

function epochOf(dataset: Orderable, options: PackingOptions, position: number): number {
  let epoch = 0;
  while (firstOf(dataset, options, epoch + 1) <= position) epoch++;
  return epoch;
}

/** Packed rows before an epoch: those of all epochs before it, as each is packed anew. */
function firstOf(dataset: Orderable, options: PackingOptions, epoch: number): number {
  if (epoch === 0) return 0;
  const { ends } = packingsOf(dataset, options);
  while (ends.length < epoch) {
    const { starts } = packedEpoch(dataset, options, ends.length);
    ends.push((ends.at(-1) ?? 0) + starts.length - 1);
  }
  return ends[epoch - 1]!;
}

function packedEpoch(dataset: Orderable, options: PackingOptions, epoch: number): PackedEpoch {
  const { shuffle = true, seed, packing } = options;
  const { epochs } = packingsOf(dataset, options);
  const number = shuffle ? epoch : 0; // every epoch is the first where the order stays
  const known = epochs.get(number);
  if (known !== undefined) return known;
  requireFitting(dataset, packing);
  const fitted = shuffle
    ? bestFit(dataset, shuffledOrder(dataset.length, seed, epoch), packing)
    : inOrder(dataset, packing);
  const order = shuffle ? permutation(fitted.length, seed, "packing", epoch) : fitted.keys();
  const packed = flat(
    Array.from(order, (place) => fitted[place]!),
    dataset.length,
  );
  if (epochs.size >= 2) epochs.delete(epochs.keys().next().value!);
  epochs.set(number, packed);
  return packed;
}

const packings = new WeakMap<Orderable, Map<string, Packings>>();

function packingsOf(dataset: Orderable, { seed, shuffle = true, packing }: PackingOptions): Packings {
  const known = packings.get(dataset) ?? new Map<string, Packings>();
  packings.set(dataset, known);
  const key = `${seed}/${shuffle}/${packing}`;
  const kept = known.get(key) ?? { ends: [], epochs: new Map<number, PackedEpoch>() };
  known.set(key, kept);
  return kept;
}

function requireFitting(dataset: Orderable, packing: number): void {
  if (dataset.length === 0) throw new RangeError("a dataset without rows has no order");
  if (!Number.isInteger(packing) || packing < 1)
    throw new RangeError(`packing is a positive whole number of tokens, got ${packing}`);
  for (let row = 0; row < dataset.length; row++)
    if (dataset.lengthOf(row) > packing)
      throw new RangeError(
        `row ${row} has ${dataset.lengthOf(row)} tokens, and a packed row holds ${packing}: tokenize with maxTokens`,
      );
}

/** Rows in the file's order, joined for as long as they fit. */
function inOrder(dataset: Orderable, packing: number): number[][] {
  const packed: number[][] = [];
  let space = 0;
  for (let row = 0; row < dataset.length; row++) {
    const length = dataset.lengthOf(row);
    if (length > space || packed.length === 0) {
      packed.push([]);
      space = packing;
    }
    packed.at(-1)!.push(row);
    space -= length;
  }
  return packed;
}

function bestFit(dataset: Orderable, order: Uint32Array, packing: number): number[][] {
  const packed: number[][] = [];
  let [from, tokens] = [0, 0];
  order.forEach((row, place) => {
    tokens += dataset.lengthOf(row);
    const isFull = place + 1 - from >= windowRows && tokens >= windowBudgets * packing;
    if (!isFull && place + 1 < order.length) return;
    for (const rows of fitWindow(dataset, [...order.subarray(from, place + 1)], packing)) packed.push(rows);
    [from, tokens] = [place + 1, 0];
  });
  return packed;
}

/** Best fit, longest first: each row joins those that leave it the least space. */
function fitWindow(dataset: Orderable, rows: readonly number[], packing: number): number[][] {
  const packed: number[][] = [];
  const open: { rows: number[]; space: number }[] = []; // least space first
  for (const row of rows.toSorted((a, b) => dataset.lengthOf(b) - dataset.lengthOf(a))) {
    const length = dataset.lengthOf(row);
    const [fitting] = open.splice(firstWithSpace(open, length), 1);
    const joined = fitting ?? { rows: [], space: packing };
    if (fitting === undefined) packed.push(joined.rows);
    joined.rows.push(row);
    joined.space -= length;
    if (joined.space > 0) open.splice(firstWithSpace(open, joined.space), 0, joined);
  }
  return packed;
}

function firstWithSpace(open: readonly { space: number }[], length: number): number {
  let [from, to] = [0, open.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (open[middle]!.space < length) from = middle + 1;
    else to = middle;
  }
  return from;
}

function flat(packed: readonly (readonly number[])[], length: number): PackedEpoch {
  const rows = new Uint32Array(length);
  const starts = new Uint32Array(packed.length + 1);
  packed.forEach((group, k) => {
    rows.set(group, starts[k]);
    starts[k + 1] = starts[k]! + group.length;
  });
  return { rows, starts };
}
