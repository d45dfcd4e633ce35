import * as tf from "@tensorflow/tfjs-core";
import type { Forward, TokenBatch } from "../contract/index.ts";
import { forwardKl, targetLogProbs, type OutputHead } from "../tensor/ops/index.ts";
import { recordTape, type OutputGradient, type Tape } from "../tensor/tape.ts";
import { decode, type Decoder } from "./decoder.ts";
import { gateGradients } from "./gate-gradients.ts";
import type { AttentionHook } from "./layer.ts";
import type { GradientStore } from "./gradients.ts";
import { headBackward, type HeadKnowledge } from "./head-backward.ts";
import { outputHead } from "./output.ts";
import { askedTokens, packTokens, type AskedTokens, type PackedTokens } from "./packing.ts";
import { packedAttention } from "./packed-attention.ts";
import { readableSignals, type PendingSignal } from "./signals.ts";

/** What a forward pass computes beside log-probabilities, and whether a backward pass may follow. */
export interface ForwardOptions {
  /** Where `backward` adds parameter gradients; null = scoring only, nothing is kept for a backward pass. */
  gradients: GradientStore | null;
  entropy?: boolean;
  entropyTop20?: boolean;
  concentration?: boolean;
  /** Sums the attention on prompt tokens in this layer; -1 is the last layer. */
  promptAttention?: { layer: number };
  /** `KL(reference ‖ model)` at every asked token; the reference has the same vocabulary. Its gradient can be given back. */
  forwardKl?: { reference: Decoder };
  /**
   * Which tokens are predicted: those of the response, and of the prompt where it trains (default), or all but the first
   * of a row.
   */
  positions?: "response" | "all";
  /** Keep only the blocks' inputs, and compute the blocks again in the backward pass: less memory, a third more work. */
  gradientCheckpointing?: boolean;
  /** Attention of another kind than causal. With gates the pass also gives the signal `gates`. */
  attention?: AttentionVariant;
}

/** Makes the attention of one pass. */
export type AttentionVariant = (packed: PackedTokens, batch: TokenBatch) => PassAttention;

export interface PassAttention {
  attend: AttentionHook;
  /** Of each layer that has run, the probabilities that keys and values are kept, `[N, keyValueHeads]`, made to outlive it by `tf.keep`. */
  gates?: () => tf.Tensor2D[];
}

/** What is recorded of a pass. */
type Recorded = { hidden: tf.Tensor2D; gates: tf.Tensor2D[] };

/**
 * First phase of a step: runs the model on a batch. Only tokens that are asked for pass through the output projection.
 *
 * `logProb[b, t]` is of token `t` given the tokens before it (0 for `t = 0`); the entropies and the concentration are of
 * the distribution it was drawn from; `promptAttention[b, t]`, on response tokens, is the mean over heads of the attention
 * that the position holding token `t` pays to earlier tokens which are not response tokens. A row's numbers do not depend
 * on the other rows or on padding.
 * @throws RangeError if a token id is outside the vocabulary or the layer does not exist
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { forward, loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0]);
 * using pass = forward(model, batch, { gradients: null, entropy: true });
 * const { logProb, entropy } = await pass.read(["logProb", "entropy"]);
 * logProb; //=> [0, 0, -1.444, -6.006]
 * entropy.length; //=> 4
 * releaseEngine();
 */
export function forward(model: Decoder, batch: TokenBatch, options: ForwardOptions): Forward {
  const packed = packTokens(batch);
  const asked = askedTokens(packed, options.positions ?? "response");
  const measured = packedAttention(model, packed, options.promptAttention?.layer);
  const attention: PassAttention = options.attention?.(packed, batch) ?? measured;
  const training = options.gradients !== null;
  const recompute = options.gradientCheckpointing ?? false;
  if (recompute && attention.gates) throw new Error("forward: gates cannot be recorded with gradientCheckpointing");
  const input = { ids: packed.ids, positions: packed.positions, attend: attention.attend, training, recompute };
  const build = (): Recorded => {
    const hidden = decode(model, input, asked.predictors);
    return { hidden, gates: attention.gates?.() ?? [] };
  };
  const idle = asked.targets.length === 0;
  const tape = idle ? undefined : options.gradients === null ? scoringTape(build) : recordTape(build);
  const wanted = { ...options, keepLogits: training };
  const own = tape && outputHead(model, tape.result.hidden);
  const facts = own && targetLogProbs(own.hidden, own.outputEmbedding, asked.targets, { ...own, ...wanted });
  const reference = own && options.forwardKl && headOf(options.forwardKl.reference, packed, asked);
  const divergence = own && reference && forwardKl(own, reference);
  if (options.gradients === null) reference?.hidden.dispose();
  const gates = attention.gates && tape?.result.gates.map((gate) => tf.clone(gate));
  if (options.gradients === null) tape?.dispose();

  const { entropy, entropyTop20, concentration, promptAttention } = options;
  const pending: PendingSignal[] = [{ name: "logProb", values: facts?.logProb, slots: asked.slots }];
  if (entropy) pending.push({ name: "entropy", values: facts?.entropy, slots: asked.slots });
  if (entropyTop20) pending.push({ name: "entropyTop20", values: facts?.entropyTop20, slots: asked.slots });
  if (concentration) pending.push({ name: "concentration", values: facts?.concentration, slots: asked.slots });
  if (options.forwardKl) pending.push({ name: "forwardKl", values: divergence, slots: asked.slots });
  if (promptAttention) {
    const slots = packed.slots.map((slot, token) => (packed.promptKeys[token] === 0 ? slot : -1));
    pending.push({ name: "promptAttention", values: measured.promptMass(), slots });
  }
  if (attention.gates) pending.push({ name: "gates", values: gates ?? [], slots: packed.slots });
  const signals = readableSignals(batch.rows * batch.width, pending);
  return {
    read: signals.read,
    backward: secondPhase(model, packed, asked, tape, options, { reference, logits: facts?.logits }),
    [Symbol.dispose]() {
      tape?.dispose();
      facts?.logits?.dispose();
      reference?.hidden.dispose();
      signals.dispose();
    },
  };
}

/** A tape for passes without a second phase: it records nothing. */
function scoringTape(build: () => Recorded): Tape<Recorded> {
  const result = build();
  return { result, backward: () => undefined, dispose: () => void tf.dispose(result) };
}

/** A second model's hidden states at the asked tokens, for a pass without gradients. */
function headOf(reference: Decoder, packed: PackedTokens, asked: AskedTokens): OutputHead {
  const { attend } = packedAttention(reference, packed);
  const hidden = decode(reference, { ids: packed.ids, positions: packed.positions, attend }, asked.predictors);
  return outputHead(reference, hidden);
}

/**
 * `Forward.backward`: head first, at tokens with a gradient alone; then the trunk, from there and from the gates. A tied
 * embedding gets both parts.
 */
function secondPhase(
  model: Decoder,
  packed: PackedTokens,
  asked: AskedTokens,
  tape: Tape<Recorded> | undefined,
  options: ForwardOptions,
  known: HeadKnowledge,
): Forward["backward"] {
  const { gradients } = options;
  let used = false;
  return ({ logProb, forwardKl: dForwardKl, gates: dGates, ...others }) => {
    const foreign = Object.keys({
      ...others,
      ...(options.forwardKl === undefined && dForwardKl !== undefined && { forwardKl: dForwardKl }),
      ...(options.attention === undefined && dGates !== undefined && { gates: dGates }),
    })[0];
    if (foreign !== undefined) throw new Error(`backward: this pass was not asked to compute ${foreign}`);
    if (gradients === null) throw new Error("backward: this pass was run without gradients");
    if (used) throw new Error("backward: may be called once");
    used = true;
    const atAsked = (given: Float32Array | undefined) => given && gradientAtAsked(given, packed, asked);
    const given = { dLogProb: atAsked(logProb), dForwardKl: atAsked(dForwardKl) };
    if (tape !== undefined) {
      const { hidden, gates } = tape.result;
      const outputs: OutputGradient[] = dGates === undefined ? [] : gateGradients(dGates, packed, gates);
      const dHidden = headBackward(model, hidden, asked.targets, given, known, gradients);
      known.logits?.dispose();
      if (dHidden !== undefined) outputs.unshift([hidden, dHidden]);
      if (outputs.length > 0) tape.backward(outputs, gradients.add);
      outputs.forEach(([, gradient]) => gradient.dispose());
    }
    tape?.dispose();
  };
}

/** Picks the caller's `[rows * width]` gradient at the tokens that were asked for; elsewhere it must be 0. */
function gradientAtAsked(gradient: Float32Array, packed: PackedTokens, asked: AskedTokens): Float32Array {
  const answerable = new Uint8Array(gradient.length);
  asked.slots.forEach((slot) => (answerable[slot] = 1));
  packed.slots.forEach((slot, token) => {
    if (packed.positions[token] === 0) answerable[slot] = 1; // a constant 0
  });
  const refused = gradient.findIndex((value, slot) => !Number.isFinite(value) || (value !== 0 && !answerable[slot]));
  if (refused >= 0) {
    const token = packed.slots.indexOf(refused);
    const row = packed.starts.findLastIndex((start) => start <= token);
    const place = token < 0 ? "a padding token" : `row ${row}, token ${packed.positions[token]}`;
    throw new Error(`backward: the gradient at ${place} is ${gradient[refused]}, which cannot be passed on`);
  }
  return Float32Array.from(asked.slots, (slot) => gradient[slot]!);
}
