import type { Fields } from "../../fields.ts";
import type { RopeScaling } from "../rope.ts";

/** One way to stretch rotary embeddings to longer texts: what it computes, and how Hugging Face files say it. */
export interface RopeKind<S extends RopeScaling> {
  /**
   * Rotation per position of each turned pair, in radians: `[rotated / 2]`, rounded as transformers rounds.
   * @param text tokens of the text at the time
   */
  frequencies(scaling: S, pairs: Pairs, text: number): Float32Array;
  /** A text of this many tokens has the same frequencies; few lengths are different ones. Absent: all texts are alike. */
  standardLength?(scaling: S, text: number): number;
  /** Factor on cosines and sines. Absent: 1. */
  attentionFactor?(scaling: S): number;
  /**
   * Reads the record of a `config.json`.
   * @throws UserError for values that are missing, malformed or out of range
   */
  parse(record: Fields, facts: FileFacts): S;
  /** The record that transformers 5 reads, but for its `rope_type`. */
  write(scaling: S, file: { maxPositions: number }): Record<string, unknown>;
}

/** The pairs of a head that are turned. */
export interface Pairs {
  theta: number;
  /** Dimensions: twice the pairs. */
  rotated: number;
}

/** What the file around a record says. */
export interface FileFacts {
  /** The file and the key, for messages. */
  where: string;
  theta: number;
  /** Dimensions of a head that are turned. */
  rotated: number;
  maxPositions: number;
  /** What the record leaves out, or must agree with. */
  originalMaxPositions?: number;
  /** The record is one of several, each for some layers. */
  perLayerType: boolean;
}

export const factorLimits = { min: 1e-6, max: 1e9 };
