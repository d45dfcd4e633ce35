import { stream } from "../system/random.ts";
import { mixedOrder } from "./sampling.ts";
import type { TokenizedDataset } from "./tokenized.ts";

/** What an order needs to know of a dataset. */
export type Orderable = Pick<TokenizedDataset, "length" | "lengthOf" | "sampling">;

/** What decides in which order an epoch takes the rows. */
export interface EpochOrderOptions {
  seed: number;
  /** False keeps the file's order in every epoch, and spreads the data sets of a mixture evenly. Default true. */
  shuffle?: boolean;
}

/** The row at a position of the endless order. */
export function rowAt(dataset: Orderable, { seed, shuffle = true }: EpochOrderOptions, position: number): number {
  const epoch = Math.floor(position / dataset.length);
  const within = position - epoch * dataset.length;
  if (isPlain(dataset, shuffle)) return within;
  return keptOrder(dataset, { seed, shuffle, epoch })[within]!;
}

/** Whether every epoch has the rows in their own order. */
export function isPlain({ sampling }: Orderable, shuffle: boolean): boolean {
  return !shuffle && sampling === undefined;
}

/** The last orders asked for, so that a step does not shuffle the whole dataset. */
const orders = new WeakMap<Orderable, Map<string, Uint32Array>>();

interface Epoch {
  seed: number;
  shuffle: boolean;
  epoch: number;
}

function keptOrder(dataset: Orderable, options: Epoch): Uint32Array {
  const { seed, shuffle, epoch } = options;
  const known = orders.get(dataset) ?? new Map<string, Uint32Array>();
  orders.set(dataset, known);
  const key = `${seed}/${epoch}/${shuffle}`;
  const order = known.get(key) ?? epochOrder(dataset, options);
  if (known.size >= 4 && !known.has(key)) known.delete(known.keys().next().value!);
  known.set(key, order);
  return order;
}

/** The rows of an epoch, as many as the dataset has: each once, or of a mixture as often as its weights say. */
export function epochOrder(dataset: Orderable, options: Epoch): Uint32Array {
  const { length, sampling } = dataset;
  if (sampling) return mixedOrder(sampling, options, permutation);
  if (!options.shuffle) return Uint32Array.from({ length }, (_, row) => row);
  return permutation(length, options.seed, "order", options.epoch);
}

/** The numbers below `n` in an order that the names decide. */
export function permutation(n: number, ...names: (string | number)[]): Uint32Array {
  const random = stream(...names);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
