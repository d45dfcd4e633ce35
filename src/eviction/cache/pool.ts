import * as tf from "@tensorflow/tfjs-core";
import type { LayerAttention } from "../../model/attention.ts";
import type { LayerTokens } from "../../model/generation/key-value-cache.ts";
import { raggedAttention, writeCache } from "../../tensor/ops/index.ts";

/** Entries that a text's key head has in the pool: `length` from `first` on, with room for more up to `room`. */
interface Run {
  first: number;
  length: number;
  room: number;
  /** Places of the entries in the text, rising. */
  positions: number[];
}

/** One layer's keys and values, every key head of every text with as many entries as it keeps. */
export interface EntryPool {
  /**
   * Adds a text's entries.
   * @param k, v `[T, keyValueHeads * headSize]`
   * @param keep `[T * keyValueHeads]`, 1 = stored
   */
  add(text: number, k: tf.Tensor2D, v: tf.Tensor2D, keep: Uint8Array): void;
  /**
   * Adds one entry per head to each text, and attends to those of them that lie in the layer's window; a text that is
   * named several times takes in as many tokens, in order. `q [texts.length, heads * headSize]`.
   */
  extend(texts: Int32Array, tokens: Pick<LayerTokens, "q" | "k" | "v">, attention: LayerAttention): tf.Tensor2D;
  copy(from: number, to: number): void;
  drop(text: number): void;
  /** Entries of each head of a text. */
  lengths(text: number): number[];
  /** Of the tensors held. */
  bytes(): number;
  dispose(): void;
}

/** Entries that a run gets room for when it is full: tokens to come, each of which is kept. */
const ROOM = 32;

/**
 * A pool of one block of memory. Entries are stored without gaps; a text whose run is full gets room for 32 more, and
 * the pool is laid out anew, without those that were dropped.
 */
export function entryPool(keyValueHeads: number, headSize: number): EntryPool {
  const runs = new Map<number, Run[]>();
  /** Tokens that each text has had. */
  const ages = new Map<number, number>();
  let held: { keys: tf.Variable<tf.Rank.R3>; values: tf.Variable<tf.Rank.R3> } | undefined;

  const size = (): number => held?.keys.shape[1] ?? 0;
  const dispose = (): void => {
    tf.dispose([held?.keys, held?.values] as tf.TensorContainer);
    held = undefined;
  };

  /** Moves all runs into a pool that holds them and nothing else; `fresh` entries are numbered on from the old pool's. */
  const layOut = (sources: Map<Run, Int32Array>, fresh?: { k: tf.Tensor2D; v: tf.Tensor2D }): void => {
    const all = [...runs.values()].flat();
    const total = all.reduce((sum, { room }) => sum + room, 0);
    const index = new Int32Array(total);
    let next = 0;
    for (const run of all) {
      const source = sources.get(run) ?? Int32Array.from({ length: run.length }, (_, i) => run.first + i);
      index.set(source, next);
      run.first = next;
      next += run.room;
    }
    if (total === 0) return dispose();
    const moved = (old: tf.Tensor3D | undefined, added: tf.Tensor2D | undefined): tf.Variable<tf.Rank.R3> =>
      tf.tidy(() => {
        const parts: tf.Tensor2D[] = [];
        if (old) parts.push(tf.reshape(old, [-1, headSize]));
        if (added) parts.push(tf.reshape(added, [-1, headSize]));
        const laidOut = tf.gather(tf.concat(parts), tf.tensor1d(index, "int32"));
        return tf.variable(tf.reshape<tf.Rank.R3>(laidOut, [1, total, headSize]), false);
      });
    const replacement = { keys: moved(held?.keys, fresh?.k), values: moved(held?.values, fresh?.v) };
    dispose();
    held = replacement;
  };

  return {
    add(text, k, v, keep) {
      const sources = new Map<Run, Int32Array>();
      const before = size();
      const own = Array.from({ length: keyValueHeads }, (_, head) => {
        const kept: number[] = [];
        for (let i = head; i < keep.length; i += keyValueHeads) if (keep[i]) kept.push(i);
        const positions = kept.map((entry) => (entry - head) / keyValueHeads);
        const run = { first: 0, length: kept.length, room: kept.length, positions };
        sources.set(
          run,
          Int32Array.from(kept, (entry) => before + entry),
        );
        return run;
      });
      runs.set(text, own);
      ages.set(text, k.shape[0]);
      layOut(sources, { k, v });
    },
    extend(texts, { q, k, v }, { window, ...facts }) {
      let grows = false;
      for (const [text, tokens] of countsOf(texts))
        for (const run of runs.get(text)!) for (; run.room < run.length + tokens; grows = true) run.room += ROOM;
      if (grows) layOut(new Map(), held ? undefined : { k, v });
      const { keys, values } = held!;
      const count = texts.length * keyValueHeads;
      const [places, firsts, lengths] = [new Int32Array(count), new Int32Array(count), new Int32Array(count)];
      let at = 0;
      for (const text of texts) {
        const age = ages.get(text)!;
        for (const run of runs.get(text)!) {
          places[at] = run.first + run.length++;
          run.positions.push(age);
          const unseen = window === undefined ? 0 : entriesBefore(run, window);
          firsts[at] = run.first + unseen;
          lengths[at++] = run.length - unseen;
        }
        ages.set(text, age + 1);
      }
      const row = new Int32Array(count);
      writeCache(keys, tf.reshape(k, [count, headSize]), places, row);
      writeCache(values, tf.reshape(v, [count, headSize]), places, row);
      const flat = (pool: tf.Tensor3D): tf.Tensor2D => tf.reshape(pool, [size(), headSize]);
      return raggedAttention(q, flat(keys), flat(values), { ...facts, firsts, lengths });
    },
    copy(from, to) {
      const sources = new Map<Run, Int32Array>();
      const own = runs.get(from)!.map((run) => {
        const copied = { ...run, positions: [...run.positions] };
        sources.set(
          copied,
          Int32Array.from({ length: run.length }, (_, i) => run.first + i),
        );
        return copied;
      });
      runs.set(to, own);
      ages.set(to, ages.get(from)!);
      layOut(sources);
    },
    drop(text) {
      ages.delete(text);
      runs.delete(text); // its entries go when the pool is next laid out
      if (runs.size === 0) dispose();
    },
    lengths: (text) => (runs.get(text) ?? []).map(({ length }) => length),
    bytes: () => 2 * size() * headSize * 4,
    dispose() {
      runs.clear();
      ages.clear();
      dispose();
    },
  };
}

/** How often each text is named. */
function countsOf(texts: Int32Array): Map<number, number> {
  const counts = new Map<number, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/** Entries too old for the window of the newest one. */
function entriesBefore({ positions }: Run, window: number): number {
  const oldest = positions.at(-1)! - window + 1;
  return positions.findIndex((position) => position >= oldest);
}
