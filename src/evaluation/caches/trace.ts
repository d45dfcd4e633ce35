import * as tf from "@tensorflow/tfjs-core";
import type { LayerEntries } from "../../eviction/cache/forked-cache.ts";
import { futureWorth } from "../../eviction/cache/future.ts";
import { entryPool } from "../../eviction/cache/pool.ts";
import { attentionOf } from "../../model/attention.ts";
import type { DecoderConfig } from "../../model/config.ts";
import type { LayerTokens } from "../../model/generation/key-value-cache.ts";

/** What a layer made of the tokens behind a prompt, and what they attended to, over all of its entries. */
type LayerTrace = Pick<LayerTokens, "q" | "k" | "v"> & { readonly output: tf.Tensor2D };

/** The tokens that follow a prompt, as every layer saw them over all of its entries. */
export interface Trace extends Disposable {
  /** Of each layer, what each entry of the prompt was worth to them: `[T * keyValueHeads]`. */
  worth(entries: readonly LayerEntries[]): Promise<Float32Array[]>;
  /** Of each layer, how far their attention to the kept entries is from that to all. */
  errors(entries: readonly LayerEntries[], keep: readonly Uint8Array[]): Promise<number[]>;
}

/** Gathers a trace: `add` is what a forked cache tells of further tokens. */
export function tracing(config: DecoderConfig): {
  add(layer: number, tokens: LayerTokens, output: tf.Tensor2D): void;
  /** Of what was told since it was last asked for. */
  done(): Trace;
} {
  let layers: LayerTrace[][] = [];
  return {
    add(layer, { q, k, v }, output) {
      const [Q, K, V, O] = [q, k, v, output].map((tensor) => tf.keep(tf.clone(tensor)));
      (layers[layer] ??= []).push({ q: Q!, k: K!, v: V!, output: O! });
    },
    done() {
      const joined = layers.map((parts) => {
        const of = (name: keyof LayerTrace): tf.Tensor2D => tf.concat(parts.map((part) => part[name]));
        const whole = { q: of("q"), k: of("k"), v: of("v"), output: of("output") };
        tf.dispose(parts as unknown as tf.TensorContainer);
        return whole;
      });
      layers = [];
      return traceOf(config, joined);
    },
  };
}

function traceOf(config: DecoderConfig, layers: readonly LayerTrace[]): Trace {
  return {
    worth: (entries) =>
      Promise.all(
        layers.map(async (own, layer) => {
          const worth = futureWorth(config, layer, entries[layer]!, own);
          const values = await worth.data<"float32">();
          worth.dispose();
          return values;
        }),
      ),
    errors: (entries, keep) =>
      Promise.all(layers.map((own, layer) => errorOf(config, layer, { own, ...entries[layer]!, keep: keep[layer]! }))),
    [Symbol.dispose]: () => tf.dispose(layers as unknown as tf.TensorContainer),
  };
}

async function errorOf(
  config: DecoderConfig,
  layer: number,
  { own, k, v, keep }: LayerEntries & { readonly own: LayerTrace; readonly keep: Uint8Array },
): Promise<number> {
  const pool = entryPool(config.keyValueHeads, config.headSize);
  try {
    pool.add(0, k, v, keep);
    const count = own.q.shape[0];
    const ratio = tf.tidy(() => {
      const reduced = pool.extend(new Int32Array(count), own, attentionOf(config, layer));
      const heads = (x: tf.Tensor2D): tf.Tensor2D => tf.reshape(x, [count * config.heads, -1]);
      const norm = (x: tf.Tensor2D): tf.Tensor => tf.sqrt(tf.sum(tf.square(x), 1));
      const size = norm(heads(own.output));
      const off = norm(tf.sub<tf.Tensor2D>(heads(reduced), heads(own.output)));
      return tf.mean(tf.div(off, tf.maximum(size, 1e-12)));
    });
    const [value] = await ratio.data();
    ratio.dispose();
    return value!;
  } finally {
    pool.dispose();
  }
}
