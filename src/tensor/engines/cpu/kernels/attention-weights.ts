// Softmax of a block of attention scores [queries, keys], whose last query sees keys to the end and each before it one key
// less, none of them more than `window` keys.
import { isSoftmaxByLibrary, softmaxByLibrary } from "./library";
import { exponentials, maxOf } from "./reduce";
import { log1 } from "./simd";

/** Bytes of a score so low (-1.7e38) that its weight is 0. */
const UNSEEN: u8 = 0xfe;

/** Where the keys that query `i` of a block sees end: the last query sees to the end. */
// @ts-ignore: decorator
@inline
function endOf(i: i32, queries: i32, keys: i32): i32 {
  return keys - queries + i + 1;
}

/** The first of them. */
// @ts-ignore: decorator
@inline
function beginOf(end: i32, window: i32): i32 {
  return max(0, end - window);
}

/** Sets the scores of unseen keys, or their weights, to `byte` four times over. */
function fillUnseen(S: usize, queries: i32, keys: i32, window: i32, byte: u8): void {
  for (let i = 0; i < queries; i++) {
    const end = endOf(i, queries, keys);
    const row = S + <usize>i * keys * 4;
    memory.fill(row, byte, <usize>beginOf(end, window) * 4);
    memory.fill(row + <usize>end * 4, byte, <usize>(keys - end) * 4);
  }
}

/** Scores of a block -> weights, 0 for keys not seen, by the library. */
function weightsByLibrary(S: usize, queries: i32, keys: i32, window: i32): void {
  fillUnseen(S, queries, keys, window, UNSEEN);
  softmaxByLibrary(queries, keys, S);
  fillUnseen(S, queries, keys, window, 0);
}

/**
 * Scores of a block -> weights but for the factor `inverses[i]` of each query, 0 for keys not seen; a query's log-sum-exp
 * goes to `statistics`, one every `pitch` bytes.
 */
export function weights(
  S: usize,
  queries: i32,
  keys: i32,
  window: i32,
  inverses: usize,
  statistics: usize,
  pitch: usize,
): void {
  if (isSoftmaxByLibrary(queries * keys)) {
    for (let i = 0; i < queries; i++) {
      const end = endOf(i, queries, keys);
      const begin = beginOf(end, window);
      store<f32>(statistics + <usize>i * pitch, maxOf(S + (<usize>i * keys + begin) * 4, end - begin));
    }
    weightsByLibrary(S, queries, keys, window);
    for (let i = 0; i < queries; i++) {
      // Its largest weight is 1 / sum of e^(score - largest score).
      const place = statistics + <usize>i * pitch;
      store<f32>(place, load<f32>(place) - log1(maxOf(S + <usize>i * keys * 4, keys)));
      store<f32>(inverses + <usize>i * 4, 1);
    }
    return;
  }
  for (let i = 0; i < queries; i++) {
    const end = endOf(i, queries, keys);
    const begin = beginOf(end, window);
    const p = S + (<usize>i * keys + begin) * 4;
    const seen = end - begin;
    const largest = maxOf(p, seen);
    const sum = exponentials(p, seen, 1, largest);
    store<f32>(inverses + <usize>i * 4, <f32>(1 / sum));
    store<f32>(statistics + <usize>i * pitch, largest + log1(<f32>sum));
  }
  fillUnseen(S, queries, keys, window, 0);
}

/** Scores of a block -> weights once more, from the log-sum-exp or as before. */
export function weightsAgain(
  S: usize,
  queries: i32,
  keys: i32,
  window: i32,
  statistics: usize,
  pitch: usize,
): void {
  if (isSoftmaxByLibrary(queries * keys)) return weightsByLibrary(S, queries, keys, window);
  for (let i = 0; i < queries; i++) {
    const end = endOf(i, queries, keys);
    const begin = beginOf(end, window);
    exponentials(S + (<usize>i * keys + begin) * 4, end - begin, 1, load<f32>(statistics + <usize>i * pitch));
  }
  fillUnseen(S, queries, keys, window, 0);
}
