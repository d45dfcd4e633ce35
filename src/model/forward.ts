import type * as tf from "@tensorflow/tfjs-core";
import type { Forward, TokenBatch } from "../contract/index.ts";
import { targetLogProbs, targetLogProbsGradient } from "../tensor/ops/index.ts";
import { recordTape, type Tape } from "../tensor/tape.ts";
import { decode, type Decoder } from "./decoder.ts";
import type { GradientStore } from "./gradients.ts";
import { askedTokens, packTokens, type AskedTokens, type PackedTokens } from "./packing.ts";
import { packedAttention } from "./packedAttention.ts";
import { readableSignals, type PendingSignal } from "./signals.ts";

/** What a forward pass computes beside log-probabilities, and whether a backward pass may follow. */
export interface ForwardOptions {
  /** Where `backward` adds parameter gradients; null = scoring only, nothing is kept for a backward pass. */
  gradients: GradientStore | null;
  entropy?: boolean;
  entropyTop20?: boolean;
  /** Sums the attention on prompt tokens in this layer; -1 is the last layer. */
  promptAttention?: { layer: number };
  /** Which tokens are predicted: those of the response (default), or all but the first of a row. */
  positions?: "response" | "all";
}

/**
 * First phase of a step: runs the model on a batch. Only tokens that are asked for pass through the output projection.
 *
 * `logProb[b, t]` is of token `t` given the tokens before it (0 for `t = 0`); the entropies are of the distribution it
 * was drawn from; `promptAttention[b, t]`, on response tokens, is the mean over heads of the attention that the
 * position holding token `t` pays to earlier tokens which are not response tokens. A row's numbers do not depend on
 * the other rows or on padding.
 * @throws RangeError if a token id is outside the vocabulary or the layer does not exist
 */
export function forward(model: Decoder, batch: TokenBatch, options: ForwardOptions): Forward {
  const packed = packTokens(batch);
  const asked = askedTokens(packed, options.positions ?? "response");
  const attention = packedAttention(model, packed, options.promptAttention?.layer);
  const training = options.gradients !== null;
  const input = { ids: packed.ids, positions: packed.positions, attend: attention.attend, training };
  const build = (): tf.Tensor2D => decode(model, input, asked.predictors);
  const idle = asked.targets.length === 0;
  const tape = idle ? undefined : options.gradients === null ? scoringTape(build) : recordTape(build);
  const facts = tape && targetLogProbs(tape.result, model.outputEmbedding, asked.targets, options);
  if (options.gradients === null) tape?.dispose();

  const { entropy, entropyTop20, promptAttention } = options;
  const pending: PendingSignal[] = [{ name: "logProb", values: facts?.logProb, slots: asked.slots }];
  if (entropy) pending.push({ name: "entropy", values: facts?.entropy, slots: asked.slots });
  if (entropyTop20) pending.push({ name: "entropyTop20", values: facts?.entropyTop20, slots: asked.slots });
  if (promptAttention) {
    const slots = packed.slots.map((slot, token) => (packed.promptKeys[token] === 0 ? slot : -1));
    pending.push({ name: "promptAttention", values: attention.promptMass(), slots });
  }
  const signals = readableSignals(batch.rows * batch.width, pending);
  return {
    read: signals.read,
    backward: secondPhase(model, packed, asked, tape, options.gradients),
    [Symbol.dispose]() {
      tape?.dispose();
      signals.dispose();
    },
  };
}

/** A tape for passes without a second phase: it records nothing. */
function scoringTape(build: () => tf.Tensor2D): Tape<tf.Tensor2D> {
  const result = build();
  return { result, backward: () => undefined, dispose: () => result.dispose() };
}

/** `Forward.backward`: head first, at tokens with a gradient alone; then the trunk. A tied embedding gets both parts. */
function secondPhase(
  model: Decoder,
  packed: PackedTokens,
  asked: AskedTokens,
  tape: Tape<tf.Tensor2D> | undefined,
  gradients: GradientStore | null,
): Forward["backward"] {
  let used = false;
  return ({ logProb, ...others }) => {
    const foreign = Object.keys(others)[0];
    if (foreign !== undefined) throw new Error(`backward: this pass was not asked to compute ${foreign}`);
    if (gradients === null) throw new Error("backward: this pass was run without gradients");
    if (used) throw new Error("backward: may be called once");
    used = true;
    const dLogProb = logProb === undefined ? new Float32Array(0) : gradientAtAsked(logProb, packed, asked);
    if (tape !== undefined && dLogProb.some((value) => value !== 0)) {
      const output = model.outputEmbedding;
      const needEmbedding = output.trainable;
      const head = targetLogProbsGradient(tape.result, output, asked.targets, dLogProb, { needEmbedding });
      if (head.dOutputEmbedding !== undefined) gradients.add(output, head.dOutputEmbedding);
      tape.backward([[tape.result, head.dHidden]], gradients.add);
      head.dHidden.dispose();
    }
    tape?.dispose();
  };
}

/** Picks the caller's `[rows * width]` gradient at the tokens that were asked for; elsewhere it must be 0. */
function gradientAtAsked(logProb: Float32Array, packed: PackedTokens, asked: AskedTokens): Float32Array {
  const answerable = new Uint8Array(logProb.length);
  asked.slots.forEach((slot) => (answerable[slot] = 1));
  packed.slots.forEach((slot, token) => {
    if (packed.positions[token] === 0) answerable[slot] = 1; // log-probability 0, a constant
  });
  const refused = logProb.findIndex((value, slot) => !Number.isFinite(value) || (value !== 0 && !answerable[slot]));
  if (refused >= 0) {
    const token = packed.slots.indexOf(refused);
    const row = packed.starts.findLastIndex((start) => start <= token);
    const place = token < 0 ? "a padding token" : `row ${row}, token ${packed.positions[token]}`;
    throw new Error(`backward: the gradient at ${place} is ${logProb[refused]}, which cannot be passed on`);
  }
  return Float32Array.from(asked.slots, (slot) => logProb[slot]!);
}
