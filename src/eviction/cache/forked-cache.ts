import * as tf from "@tensorflow/tfjs-core";
import { attentionOf } from "../../model/attention.ts";
import type { DecoderConfig } from "../../model/config.ts";
import type { KeyValueCache, LayerTokens } from "../../model/generation/key-value-cache.ts";
import { entryPool, type EntryPool } from "./pool.ts";
import { readPrompt, tokensBetween, type PrefillEviction } from "./ragged-cache.ts";

/** Keys and values of one layer. */
export type LayerEntries = Pick<LayerTokens, "k" | "v">;

/**
 * A cache that reads a prompt once and continues it under as many choices of entries as one likes. What `start` takes in
 * waits whole; `fork` gives a text of its own what is kept of it, and texts alone are continued.
 */
export interface ForkedCache extends KeyValueCache {
  /** Starts the text `to` from the prompt in `row`, with the entries that are kept: of each layer `[T * keyValueHeads]`. */
  fork(row: number, to: number, keep: readonly Uint8Array[]): void;
  /** Of each layer, all that a prompt has; the cache's own. */
  entries(row: number): readonly LayerEntries[];
  /** Forgets a prompt, not the texts that were forked from it. */
  dropPrompt(row: number): void;
  /** A text that is named several times takes in as many tokens, in order. */
  extend(layer: number, texts: Int32Array, tokens: LayerTokens): tf.Tensor2D;
}

export interface ForkedCacheOptions {
  /** How prompts attend. Default: to all their entries. */
  readonly attend?: PrefillEviction["attend"];
  /** Told of each layer of each prompt, within a tidy scope, and of the facts that `attend` gave. */
  readonly onPrompt?: (layer: number, row: number, tokens: LayerTokens, facts: tf.Tensor | undefined) => void;
  /** Told of each layer's further tokens and their attention, within a tidy scope. */
  readonly onTokens?: (layer: number, tokens: LayerTokens, output: tf.Tensor2D) => void;
}

export function forkedCache(config: DecoderConfig, options: ForkedCacheOptions = {}): ForkedCache {
  const { attend, onPrompt, onTokens } = options;
  const prompts = new Map<number, LayerEntries[]>();
  const pools: EntryPool[] = [];
  const poolOf = (layer: number): EntryPool => (pools[layer] ??= entryPool(config.keyValueHeads, config.headSize));
  const free = (held: LayerEntries[] | undefined): void => held?.forEach(({ k, v }) => tf.dispose([k, v]));
  const lacks = (): never => {
    throw new Error("a forked cache copies no text: fork the prompt again");
  };
  return {
    start(layer, { rows, starts }, tokens) {
      const outputs = Array.from(rows, (row, text) => {
        const own = tokensBetween(starts[text]!, starts[text + 1]!, tokens);
        const { output, facts } = readPrompt(config, { ...(attend && { attend }) }, layer, own);
        if (layer === 0) prompts.set(row, []);
        prompts.get(row)!.push({ k: tf.keep(tf.clone(own.k)), v: tf.keep(tf.clone(own.v)) });
        onPrompt?.(layer, row, own, facts);
        return output;
      });
      return outputs.length === 1 ? outputs[0]! : tf.concat(outputs);
    },
    fork: (row, to, keep) => prompts.get(row)!.forEach(({ k, v }, layer) => poolOf(layer).add(to, k, v, keep[layer]!)),
    entries: (row) => prompts.get(row) ?? [],
    dropPrompt(row) {
      free(prompts.get(row));
      prompts.delete(row);
    },
    extend(layer, texts, tokens) {
      const output = pools[layer]!.extend(texts, tokens, attentionOf(config, layer));
      onTokens?.(layer, tokens, output);
      return output;
    },
    length: (layer, text) => Math.max(0, ...(pools[layer]?.lengths(text) ?? [])),
    copyRow: lacks,
    dropRow: (text) => pools.forEach((pool) => pool.drop(text)),
    dispose() {
      prompts.forEach(free);
      prompts.clear();
      pools.forEach((pool) => pool.dispose());
    },
  };
}
