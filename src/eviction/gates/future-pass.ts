import * as tf from "@tensorflow/tfjs-core";
import type { Forward, TokenBatch } from "../../contract/index.ts";
import { attentionOf } from "../../model/attention.ts";
import type { Decoder } from "../../model/decoder.ts";
import { gateGradients } from "../../model/gate-gradients.ts";
import type { LayerTokens } from "../../model/generation/key-value-cache.ts";
import type { GradientStore } from "../../model/gradients.ts";
import { packTokens, type PackedTokens } from "../../model/packing.ts";
import { readableSignals } from "../../model/signals.ts";
import { attentionPeaks } from "../../tensor/ops/index.ts";
import { recordTape } from "../../tensor/tape.ts";
import type { ExemptionOptions } from "../exemptions.ts";
import { futureBatch, type FutureShape } from "./future-batch.ts";
import type { FutureTarget } from "./future-objective.ts";
import { packedExemptions, type RowKind } from "./layout.ts";
import { gateInput, type GateNetwork } from "./network.ts";
import { traceLayers } from "./trace-layers.ts";

export interface FuturePassOptions extends ExemptionOptions {
  /** Where `backward` adds the gates' gradients; null = reading only. */
  readonly gradients: GradientStore | null;
  /** Default `prompts`. */
  readonly rows?: RowKind;
  /** Default `peak`. */
  readonly target?: FutureTarget;
}

/**
 * A pass for gates that are to foresee attention: the model, which stays as it is, is run once without a tape, and the
 * gates alone are recorded. It gives the gates' scores as the signal `gates`, what they are to foresee as
 * `futureAttention`, and takes the gradient on `gates`.
 */
export function futurePass(model: Decoder, gates: GateNetwork, batch: TokenBatch, options: FuturePassOptions): Forward {
  const { gradients, rows = "prompts", target = "peak" } = options;
  const packed = packTokens(batch);
  const shape = futureBatch(batch, model.config.keyValueHeads, rows, options);
  const queries = Uint8Array.from(packed.slots, (slot) => shape.queries[slot]!);
  const layout = packedExemptions(packed, batch, rows, options);
  const traced = traceLayers(model, packed, (layer, tokens) => [
    gateInput(gates.settings, tokens),
    worthOf(model, layer, tokens, { packed, queries, shape, target }),
  ]);
  const [inputs, worth] = [0, 1].map((part) => traced.map((tensors) => tensors[part] as tf.Tensor2D)) as [
    tf.Tensor2D[],
    tf.Tensor2D[],
  ];
  const build = (): tf.Tensor2D[] => inputs.map((input, layer) => gates.scores(layer, input, layout));
  const tape = gradients === null ? undefined : recordTape(build);
  const scores = tape ? tape.result.map((score) => tf.clone(score)) : build();
  tf.dispose(inputs);
  const signals = readableSignals(batch.rows * batch.width, [
    { name: "gates", values: scores, slots: packed.slots },
    { name: "futureAttention", values: worth, slots: packed.slots },
  ]);
  let used = false;
  return {
    read: signals.read,
    backward({ gates: dGates, ...others }) {
      const foreign = Object.keys(others)[0];
      if (foreign !== undefined) throw new Error(`backward: this pass was not asked to compute ${foreign}`);
      if (gradients === null || tape === undefined) throw new Error("backward: this pass was run without gradients");
      if (used) throw new Error("backward: may be called once");
      used = true;
      const outputs = dGates === undefined ? [] : gateGradients(dGates, packed, tape.result);
      if (outputs.length > 0) tape.backward(outputs, gradients.add);
      outputs.forEach(([, gradient]) => gradient.dispose());
      tape.dispose();
    },
    [Symbol.dispose]() {
      tape?.dispose();
      signals.dispose();
    },
  };
}

interface WorthFacts {
  readonly packed: PackedTokens;
  readonly queries: Uint8Array;
  readonly shape: FutureShape;
  readonly target: FutureTarget;
}

/** What each entry of a layer is worth: the largest attention times the norm of the value, or the summed attention. */
function worthOf(
  { config }: Decoder,
  layer: number,
  { q, k, v }: LayerTokens,
  { packed: { starts }, queries, shape: { reach }, target }: WorthFacts,
): tf.Tensor2D {
  const of = target === "peak" ? "peak" : "sum";
  const drawn = attentionPeaks(q, k, { ...attentionOf(config, layer), starts, queries, reach, of });
  if (target !== "peak") return drawn;
  const values = tf.reshape(v, [v.shape[0], config.keyValueHeads, config.headSize]);
  return tf.mul(drawn, tf.sqrt(tf.sum(tf.square(values), 2)));
}
