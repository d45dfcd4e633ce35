import type { Tokenizer } from "../text/index.ts";
import type { Decoder } from "./decoder.ts";
import type { Origin } from "./weights/index.ts";

/** A decoder with its tokenizer. */
export interface Model extends Decoder {
  readonly tokenizer: Tokenizer;
  /** Where it was loaded from. */
  readonly source: string;
  /** Names the weights and configuration as they were when loaded (training does not change it). */
  readonly fingerprint: string;
  /** How its files came, which are written back so; a model with fresh weights has none. */
  readonly origin?: Origin;
}

/** Where a model's matrices are kept. */
export interface LoadOptions {
  /**
   * `float32` (default): in the engine's memory, to be trained. `as-stored`: those of 16 or fewer bits stay in their
   * files, which the cpu engine reads and widens while it computes. The model is then frozen; an adapter over it can be
   * trained. Its numbers and gradients are the same, its memory is that of the files' pages. Nothing may write to the
   * files meanwhile. Other engines keep `float32` in any case.
   */
  weights?: "float32" | "as-stored";
  /** Names of weights that come into memory in any case. Default: none. */
  inMemory?: ReadonlySet<string>;
}

/** What is known of a model without reading its weights. */
export interface ModelFacts extends Pick<Model, "config" | "tokenizer" | "fingerprint"> {
  /** Bytes of each weight that can stay in its file, by its name; see `LoadOptions`. */
  readonly storedBytes?: ReadonlyMap<string, number>;
}
