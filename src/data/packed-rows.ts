import { openRows } from "./open-rows.ts";
import { epochOrder, isPlain, permutation, type EpochOrderOptions, type Orderable } from "./epoch-order.ts";

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
const windowBudgets = 256;

/**
 * The packed rows at `count` positions of the endless order, from `from` on: each a list of rows (indices into the
 * dataset) whose lengths sum to at most `packing`. Every epoch has each row once, or as often as a mixture's weights say. Its rows, in their shuffled order, are
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
  const number = isPlain(dataset, shuffle) ? 0 : epoch; // every epoch is the first where the order stays
  const known = epochs.get(number);
  if (known !== undefined) return known;
  requireFitting(dataset, packing);
  const order = epochOrder(dataset, { seed, shuffle, epoch });
  const packed = shuffle
    ? shuffledRows(dataset, order, packing, (count) => permutation(count, seed, "packing", epoch))
    : inOrder(dataset, order, packing);
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

/** Rows in their order, joined for as long as they fit. */
function inOrder(dataset: Orderable, rows: Uint32Array, packing: number): PackedEpoch {
  const starts: number[] = [];
  let space = 0;
  rows.forEach((row, place) => {
    const length = dataset.lengthOf(row);
    if (length > space || place === 0) {
      starts.push(place);
      space = packing;
    }
    space -= length;
  });
  return { rows, starts: Uint32Array.from([...starts, rows.length]) };
}

/** Rows fitted together window by window; `shuffled` says in which order the packed rows come. */
function shuffledRows(
  dataset: Orderable,
  order: Uint32Array,
  packing: number,
  shuffled: (count: number) => Uint32Array,
): PackedEpoch {
  const packedOf = new Uint32Array(order.length); // the packed row of the row at each place of the order
  const sizes: number[] = [];
  let [from, tokens, windowStart] = [0, 0, 0];
  order.forEach((row, place) => {
    tokens += dataset.lengthOf(row);
    const isFull = place + 1 - from >= windowRows && tokens >= windowBudgets * packing;
    if (!isFull && place + 1 < order.length) return;
    const lengths = Uint32Array.from(order.subarray(from, place + 1), (each) => dataset.lengthOf(each));
    bestFit(lengths, packing).forEach((packed, i) => {
      packedOf[from + i] = windowStart + packed;
      sizes[windowStart + packed] = (sizes[windowStart + packed] ?? 0) + 1;
    });
    [from, tokens, windowStart] = [place + 1, 0, sizes.length];
  });
  return gathered(order, packedOf, sizes, shuffled(sizes.length));
}

/** Which of new packed rows each row joins. Best fit, longest first: those that it leaves the least space. */
function bestFit(lengths: Uint32Array, packing: number): Uint32Array {
  const packedOf = new Uint32Array(lengths.length);
  const open = openRows(lengths.length, packing);
  const spaces: number[] = [];
  for (const key of Float64Array.from(lengths, (length, i) => (packing - length) * lengths.length + i).sort()) {
    const i = key % lengths.length;
    const packed = open.takeFor(lengths[i]!) ?? spaces.push(packing) - 1;
    spaces[packed]! -= lengths[i]!;
    if (spaces[packed]! > 0) open.put(packed, spaces[packed]!);
    packedOf[i] = packed;
  }
  return packedOf;
}

/** The rows of each packed row side by side, the packed rows in a new order. */
function gathered(
  order: Uint32Array,
  packedOf: Uint32Array,
  sizes: readonly number[],
  shuffled: Uint32Array,
): PackedEpoch {
  const starts = new Uint32Array(sizes.length + 1);
  const next = new Uint32Array(sizes.length); // where the next row of each packed row goes
  shuffled.forEach((packed, k) => {
    next[packed] = starts[k]!;
    starts[k + 1] = starts[k]! + sizes[packed]!;
  });
  const rows = new Uint32Array(order.length);
  packedOf.forEach((packed, place) => (rows[next[packed]!++] = order[place]!));
  return { rows, starts };
}
