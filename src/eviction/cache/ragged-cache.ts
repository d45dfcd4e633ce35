import * as tf from "@tensorflow/tfjs-core";
import type { CacheMaker, KeyValueCache, LayerTokens } from "../../model/generation/key-value-cache.ts";
import { attentionOf } from "../../model/attention.ts";
import type { DecoderConfig } from "../../model/config.ts";
import { causalAttention } from "../../tensor/ops/index.ts";
import { optional } from "../../system/optional.ts";
import { entryPool, type EntryPool } from "./pool.ts";

/** What decides, once a prompt has been read, which of its keys and values are kept. */
export interface PrefillEviction {
  readonly name: string;
  /**
   * The numbers of a layer that `decide` reads, where the prompt is read with all its entries; none, if it is left out.
   * Called within a tidy scope.
   */
  facts?(layer: number, tokens: LayerTokens): tf.Tensor;
  /**
   * In place of `facts`, of an eviction that hides entries from the prompt's own tokens too: one layer's attention among
   * them, `[T, heads * headSize]`, and the numbers that `decide` reads. Called within a tidy scope.
   */
  attend?(layer: number, tokens: LayerTokens): { output: tf.Tensor2D; facts?: tf.Tensor };
  /**
   * Each layer's flags, `[length * keyValueHeads]`, 1 = kept.
   * @param facts of each layer, as `facts` or `attend` gave them; empty where there are none
   */
  decide(length: number, facts: readonly Float32Array[]): Uint8Array[];
}

export interface RaggedCacheOptions {
  /** Told of every prompt's flags, a list of layers `[length * keyValueHeads]`, in the order in which prompts are read. */
  readonly onEvicted?: (keep: readonly Uint8Array[], length: number, bytes: number) => void;
}

/** A cache whose evicted entries are gone. */
export interface RaggedCache extends KeyValueCache {
  settle(row: number): Promise<void>;
  /** Of all tensors held: what is kept of the prompts, and room for tokens to come. */
  bytes(): number;
  /** Entries that each head of a layer holds of a row. */
  lengths(layer: number, row: number): number[];
}

/**
 * A cache for `generate` that holds, of each layer and key-value head, the entries that an eviction keeps of the prompt
 * and all of the tokens that follow. Memory and the work of a new token fall with what is dropped; rotated keys stay as
 * they are, so kept tokens keep their positions.
 *
 *     generate(model, prompts, { maxNewTokens, cache: raggedCache(gateEviction(model, gates)) });
 *
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { snapKv } from "tokensift/eviction";
 * import { raggedCache, scoreEviction } from "tokensift/eviction/cache";
 * import { generate, loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const eviction = scoreEviction(model, snapKv({ window: 4 }), { ratio: 0.5, recent: 4 });
 * let kept = 0;
 * const cache = raggedCache(eviction, {
 *   onEvicted: (keep) => (kept = keep[0]!.filter((flag) => flag === 1).length),
 * });
 * const prompt = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14];
 * await generate(model, [prompt], { maxNewTokens: 2, cache });
 * kept === 5 * model.config.keyValueHeads; //=> true
 * releaseEngine();
 */
export function raggedCache(eviction: PrefillEviction, { onEvicted }: RaggedCacheOptions = {}): CacheMaker {
  return (config) => openRaggedCache(config, eviction, onEvicted);
}

/** A layer's tokens between the prompt's pass and the decision. */
interface Pending {
  k: tf.Tensor2D;
  v: tf.Tensor2D;
  facts: tf.Tensor | undefined;
}

function openRaggedCache(
  config: DecoderConfig,
  eviction: PrefillEviction,
  onEvicted: RaggedCacheOptions["onEvicted"],
): RaggedCache {
  const { keyValueHeads, headSize } = config;
  const pools: EntryPool[] = [];
  const pending = new Map<number, Pending[]>();
  const bytes = (): number => pools.reduce((sum, pool) => sum + pool.bytes(), 0);
  return {
    start(layer, { rows, starts }, tokens) {
      const outputs = Array.from(rows, (row, text) => {
        const own = tokensBetween(starts[text]!, starts[text + 1]!, tokens);
        const { output, facts } = readPrompt(config, eviction, layer, own);
        if (layer === 0) pending.set(row, []);
        pending.get(row)!.push({
          k: tf.keep(tf.clone(own.k)),
          v: tf.keep(tf.clone(own.v)),
          facts: facts && tf.keep(tf.clone(facts)),
        });
        return output;
      });
      return outputs.length === 1 ? outputs[0]! : tf.concat(outputs);
    },
    async settle(row) {
      const layers = pending.get(row)!;
      pending.delete(row);
      try {
        const facts = await Promise.all(layers.map(({ facts }) => facts?.data<"float32">()));
        const length = layers[0]!.k.shape[0];
        const read = facts.map((own) => own ?? new Float32Array(0));
        const keep = eviction.decide(length, read);
        for (const [layer, { k, v }] of layers.entries())
          (pools[layer] ??= entryPool(keyValueHeads, headSize)).add(row, k, v, keep[layer]!);
        onEvicted?.(keep, length, bytes());
      } finally {
        tf.dispose(layers as unknown as tf.TensorContainer);
      }
    },
    extend: (layer, rows, { q, k, v }) => pools[layer]!.extend(rows, { q, k, v }, attentionOf(config, layer)),
    length: (layer, row) => Math.max(0, ...(pools[layer]?.lengths(row) ?? [])),
    lengths: (layer, row) => pools[layer]?.lengths(row) ?? [],
    copyRow: (from, to) => pools.forEach((pool) => pool.copy(from, to)),
    dropRow: (row) => pools.forEach((pool) => pool.drop(row)),
    bytes,
    dispose() {
      tf.dispose([...pending.values()] as unknown as tf.TensorContainer);
      pools.forEach((pool) => pool.dispose());
    },
  };
}

/** A layer's attention among a prompt's tokens, and what an eviction reads of them. Called within a tidy scope. */
export function readPrompt(
  config: DecoderConfig,
  eviction: Pick<PrefillEviction, "facts" | "attend">,
  layer: number,
  tokens: LayerTokens,
): { output: tf.Tensor2D; facts?: tf.Tensor } {
  if (eviction.attend !== undefined) return eviction.attend(layer, tokens);
  const { q, k, v } = tokens;
  const { output } = causalAttention(q, k, v, { ...attentionOf(config, layer), starts: Int32Array.of(0, q.shape[0]) });
  return { output, ...optional({ facts: eviction.facts?.(layer, tokens) }) };
}

export function tokensBetween(from: number, to: number, { q, k, v, input }: LayerTokens): LayerTokens {
  const between = (x: tf.Tensor2D): tf.Tensor2D =>
    to - from === x.shape[0] ? x : tf.slice(x, [from, 0], [to - from, x.shape[1]]);
  return { q: between(q), k: between(k), v: between(v), input: between(input) };
}
