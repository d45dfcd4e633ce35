/** Rotary position embedding: base, the part of a head that is turned, and how the model was stretched to longer texts. */
export interface Rope {
  theta: number;
  scaling?: RopeScaling;
  /** Share of each head's dimensions that is turned, the first of them. Absent: all. */
  rotatedShare?: number;
}

export type RopeScaling = Llama3Scaling | LinearScaling | DynamicScaling | YarnScaling | LongRopeScaling;

/** Wavelength-dependent stretch of Llama 3.1. */
export interface Llama3Scaling {
  type: "llama3";
  factor: number;
  lowFrequencyFactor: number;
  highFrequencyFactor: number;
  originalMaxPositions: number;
}

/** Position interpolation. */
export interface LinearScaling {
  type: "linear";
  factor: number;
}

/** A base that grows with the text, beyond `originalMaxPositions` tokens. */
export interface DynamicScaling {
  type: "dynamic";
  factor: number;
  originalMaxPositions: number;
}

/** YaRN. */
export interface YarnScaling {
  type: "yarn";
  factor: number;
  originalMaxPositions: number;
  /** Pairs that turn more often than this over the original context keep their frequency. */
  betaFast: number;
  /** Pairs that turn less often than this over the original context are slowed by `factor`. */
  betaSlow: number;
  /** Factor on cosines and sines. */
  attentionFactor: number;
  /** The ramp between the two begins and ends at fractions of a pair. Absent: at whole pairs. */
  truncate?: false;
}

/** LongRoPE: the frequency of each pair is divided by a number of its own, which depends on the text's length. */
export interface LongRopeScaling {
  type: "longrope";
  /** Of texts up to `originalMaxPositions` tokens, one per turned pair. */
  shortFactors: readonly number[];
  /** Of longer texts. */
  longFactors: readonly number[];
  originalMaxPositions: number;
  /** Factor on cosines and sines, whatever the length. */
  attentionFactor: number;
}

/** Dimensions of a head that are turned. */
export function rotatedSize({ headSize, rope }: { headSize: number; rope: Rope }): number {
  return Math.trunc(headSize * (rope.rotatedShare ?? 1));
}

/** The share that makes `rotatedSize` give back `size`. */
export function rotatedShareOf(size: number, headSize: number): number {
  const share = size / headSize;
  return Math.trunc(headSize * share) === size ? share : share * (1 + Number.EPSILON); // rounded down before
}
