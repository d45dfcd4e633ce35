import * as tf from "@tensorflow/tfjs-core";
import type { Forward, TokenBatch } from "../contract/index.ts";
import { linear } from "../tensor/ops/index.ts";
import { recordTape } from "../tensor/tape.ts";
import { decode, type Decoder } from "./decoder.ts";
import type { ForwardOptions } from "./forward.ts";
import { packedAttention } from "./packed-attention.ts";
import { packTokens, type PackedTokens } from "./packing.ts";
import type { ScoreHead } from "./score-head.ts";
import { readableSignals } from "./signals.ts";

/**
 * First phase of a step of a scoring model: a linear head in the place of the output projection, which is not computed.
 * Its only signal is `score`: entry t is the score of the state that has read token t, on every real token, prompts
 * included; 0 on padding. `backward` takes `{ score }` and reaches the head and the decoder's trainable parameters.
 * @param options.gradients where `backward` adds gradients; null = scoring only
 * @throws RangeError if a token id is outside the vocabulary
 */
export function scoredForward(
  model: Decoder,
  { weight }: ScoreHead,
  batch: TokenBatch,
  { gradients }: Pick<ForwardOptions, "gradients">,
): Forward {
  const packed = packTokens(batch);
  const { attend } = packedAttention(model, packed);
  const input = { ids: packed.ids, positions: packed.positions, attend, training: gradients !== null, headless: true };
  const build = (): tf.Tensor2D => tf.tidy(() => linear(decode(model, input, everyToken(packed)), weight));
  const tape = gradients === null ? undefined : recordTape(build);
  const scores = tape?.result ?? build();
  const values = tf.reshape<tf.Rank.R1>(scores, [packed.ids.length]);
  if (tape === undefined) scores.dispose();

  const signals = readableSignals(batch.rows * batch.width, [{ name: "score", values, slots: packed.slots }]);
  let used = false;
  return {
    read: signals.read,
    backward({ score, ...others }) {
      const foreign = Object.keys(others)[0];
      if (foreign !== undefined) throw new Error(`backward: this pass was not asked to compute ${foreign}`);
      if (gradients === null || tape === undefined) throw new Error("backward: this pass was run without gradients");
      if (used) throw new Error("backward: may be called once");
      used = true;
      const gradient = score === undefined ? new Float32Array(0) : gradientAtTokens(score, packed);
      if (gradient.some((value) => value !== 0)) {
        const dScores = tf.tensor2d(gradient, [gradient.length, 1]);
        tape.backward([[tape.result, dScores]], gradients.add);
        dScores.dispose();
      }
      tape.dispose();
    },
    [Symbol.dispose]() {
      tape?.dispose();
      signals.dispose();
    },
  };
}

function everyToken({ ids }: PackedTokens): Int32Array {
  return Int32Array.from(ids.keys());
}

/** The caller's `[rows * width]` gradient without the padding, on which it must be 0. */
function gradientAtTokens(score: Float32Array, { slots }: PackedTokens): Float32Array {
  const real = new Uint8Array(score.length);
  for (const slot of slots) real[slot] = 1;
  const refused = score.findIndex((value, slot) => !Number.isFinite(value) || (value !== 0 && !real[slot]));
  if (refused >= 0) {
    const place = real[refused] ? `entry ${refused}` : `entry ${refused}, a padding token,`;
    throw new Error(`backward: the gradient at ${place} is ${score[refused]}, which cannot be passed on`);
  }
  return Float32Array.from(slots, (slot) => score[slot]!);
}
