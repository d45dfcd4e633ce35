import type { ProjectionName } from "./projections.ts";
import type { Rope } from "./rope/index.ts";

export type { Rope, RopeScaling } from "./rope/index.ts";

/** Facts about a decoder, whatever file they were read from: its sizes and constants. */
export interface DecoderConfig {
  /** The family as whose member it is written: a `model_type` of `families/`. What is computed does not depend on it. */
  family: string;
  vocabularySize: number;
  width: number;
  layers: number;
  heads: number;
  keyValueHeads: number;
  headSize: number;
  feedForwardWidth: number;
  maxPositions: number;
  /** Added to the mean square in RMS normalization. */
  epsilon: number;
  rope: Rope;
  /** The output projection is the token embedding. */
  tiedOutput: boolean;
  /** The projections that have biases, in their order in a layer. */
  biases: readonly ProjectionName[];
  /** Tokens that a token sees, at least `maxPositions`: it is known, and not in force. Absent: all. */
  window?: number;
  /** Standard deviation of fresh weights. */
  initializerRange: number;
  beginOfText?: number;
  /** Ids that end generation. */
  endOfText: number[];
  padToken?: number;
}
