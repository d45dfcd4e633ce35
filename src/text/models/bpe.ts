import { byteIds, type EncodeWord } from "./model.ts";

export interface BpeOptions {
  merges: readonly (string | readonly [string, string])[];
  unk_token?: string | null;
  fuse_unk?: boolean;
  byte_fallback?: boolean;
  ignore_merges?: boolean;
  continuing_subword_prefix?: string | null;
  end_of_word_suffix?: string | null;
}

interface Merge {
  rank: number;
  id: number;
}

const idRange = 2 ** 24;
const positionRange = 2 ** 26;

/**
 * Byte-pair encoding: of all neighbours that may be merged, those of the earliest merge first, of these the leftmost.
 * @throws Error for a merge whose parts or result are no tokens
 */
export function bpe(options: BpeOptions, ids: ReadonlyMap<string, number>): EncodeWord {
  const prefix = options.continuing_subword_prefix ?? "";
  const suffix = options.end_of_word_suffix ?? "";
  const merges = mergesOf(options.merges, prefix, ids);
  const unknown =
    options.unk_token === null || options.unk_token === undefined ? undefined : ids.get(options.unk_token);
  const symbols = (word: string): number[] => {
    const found: number[] = [];
    const characters = Array.from(word);
    let afterUnknown = false;
    characters.forEach((character, i) => {
      const text = (i > 0 ? prefix : "") + character + (i === characters.length - 1 ? suffix : "");
      const id = ids.get(text);
      const known = id === undefined ? (options.byte_fallback === true ? byteIds(text, ids) : undefined) : [id];
      if (known !== undefined) found.push(...known);
      // without an unknown token Python's tokenizers drop the character, too
      else if (unknown !== undefined && !(afterUnknown && options.fuse_unk === true)) found.push(unknown);
      afterUnknown = known === undefined;
    });
    return found;
  };
  return (word) => {
    const whole = options.ignore_merges === true ? ids.get(word) : undefined;
    return whole === undefined ? merged(symbols(word), merges) : [whole];
  };
}

function mergesOf(list: BpeOptions["merges"], prefix: string, ids: ReadonlyMap<string, number>): Map<number, Merge> {
  const merges = new Map<number, Merge>();
  for (const [rank, merge] of list.entries()) {
    const [left, right] = (typeof merge === "string" ? merge.split(" ", 2) : merge) as [string, string];
    const [first, second, id] = [
      ids.get(left),
      ids.get(right),
      ids.get(left + right.slice(right.startsWith(prefix) ? prefix.length : 0)),
    ];
    if (first === undefined || second === undefined || id === undefined) {
      throw new Error(`the merge ${JSON.stringify([left, right])} names a token that is not in the vocabulary`);
    }
    merges.set(first * idRange + second, { rank, id });
  }
  return merges;
}

/** Merges neighbours until none may be merged. */
function merged(symbols: number[], merges: ReadonlyMap<number, Merge>): number[] {
  const count = symbols.length;
  if (count < 2) return symbols;
  const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
  const heap: number[] = []; // rank and position of a merge in one number
  const mergeAt = (i: number): Merge | undefined => {
    const other = i < 0 ? -1 : next[i]!;
    return other < 0 ? undefined : merges.get(symbols[i]! * idRange + symbols[other]!);
  };
  const offer = (i: number): void => {
    const merge = mergeAt(i);
    if (merge !== undefined) push(heap, merge.rank * positionRange + i);
  };
  for (let i = 0; i < count; i++) offer(i);
  while (heap.length > 0) {
    const smallest = pop(heap);
    const at = smallest % positionRange;
    const merge = symbols[at]! < 0 ? undefined : mergeAt(at);
    if (merge?.rank !== Math.floor(smallest / positionRange)) continue; // others were merged in between
    const other = next[at]!;
    symbols[at] = merge.id;
    symbols[other] = -1;
    next[at] = next[other]!;
    if (next[at]! >= 0) previous[next[at]!] = at;
    offer(previous[at]!);
    offer(at);
  }
  return symbols.filter((id) => id >= 0);
}

function push(heap: number[], value: number): void {
  let at = heap.push(value) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    if (heap[above]! <= value) break;
    heap[at] = heap[above]!;
    at = above;
  }
  heap[at] = value;
}

function pop(heap: number[]): number {
  const smallest = heap[0]!;
  const last = heap.pop()!;
  let at = 0;
  while (heap.length > 0) {
    let below = 2 * at + 1;
    if (below >= heap.length) break;
    if (below + 1 < heap.length && heap[below + 1]! < heap[below]!) below++;
    if (heap[below]! >= last) break;
    heap[at] = heap[below]!;
    at = below;
  }
  if (heap.length > 0) heap[at] = last;
  return smallest;
}
