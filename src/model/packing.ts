import type { TokenBatch } from "../contract/index.ts";

/** A batch without its padding: the tokens of all rows one after the other. */
export interface PackedTokens {
  ids: Int32Array;
  /** Position of each token in its row. */
  positions: Int32Array;
  /** Cumulative row lengths `[rows + 1]`. */
  starts: Int32Array;
  /** Where each token stands in the batch's `[rows * width]` arrays. */
  slots: Int32Array;
  /** 1 on tokens that are not response tokens. */
  promptKeys: Uint8Array;
  /** 1 on response tokens, and on those of prompts that train. */
  trained: Uint8Array;
}

/** The tokens whose log-probability is wanted, `[R]` each. */
export interface AskedTokens {
  /** Where the token stands in the batch's `[rows * width]` arrays. */
  slots: Int32Array;
  /** The packed token before it, whose hidden state predicts it. */
  predictors: Int32Array;
  /** Its id. */
  targets: Int32Array;
}

/** Takes the real tokens out of a right-padded batch. */
export function packTokens({ rows, width, ids, lengths, response, dataWeights }: TokenBatch): PackedTokens {
  const starts = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) starts[row + 1] = starts[row]! + lengths[row]!;
  const total = starts[rows]!;
  const positions = new Int32Array(total);
  const slots = new Int32Array(total);
  for (let row = 0; row < rows; row++) {
    for (let t = 0; t < lengths[row]!; t++) {
      positions[starts[row]! + t] = t;
      slots[starts[row]! + t] = row * width + t;
    }
  }
  return {
    ids: slots.map((slot) => ids[slot]!),
    positions,
    starts,
    slots,
    promptKeys: Uint8Array.from(slots, (slot) => 1 - response[slot]!),
    trained: Uint8Array.from(slots, (slot) => Number(response[slot] === 1 || (dataWeights?.[slot] ?? 0) !== 0)),
  };
}

/** Response tokens and those of prompts that train, or all, except the first of a row, which nothing predicts. */
export function askedTokens({ ids, positions, slots, trained }: PackedTokens, which: "response" | "all"): AskedTokens {
  const wanted = (token: number): boolean => positions[token]! > 0 && (which === "all" || trained[token] === 1);
  const tokens = Int32Array.from(ids.keys()).filter(wanted);
  return {
    slots: tokens.map((token) => slots[token]!),
    predictors: tokens.map((token) => token - 1),
    targets: tokens.map((token) => ids[token]!),
  };
}
