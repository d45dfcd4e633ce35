import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createGates, type GateNetwork } from "../../../src/eviction/gates/index.ts";
import { gatedPass } from "../../../src/eviction/gates/gated-pass.ts";
import { gatesFrom } from "../../../src/eviction/gates/network.ts";
import { forward, gradientStore, loadModel, type Model } from "../../../src/model/index.ts";
import { normalValues, stream } from "../../../src/system/random.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import * as tf from "@tensorflow/tfjs-core";
import { distance } from "../reference.ts";
import { attending, batchOfRows, padded } from "./fixtures.ts";

beforeAll(() => useEngine("cpu", { threads: 1 }));
afterAll(releaseEngine);

const exempt = { sinks: 1, window: 2 };

describe.each(attending)("the model %s under gates", (_, fixture) => {
  const { folder, expected } = fixture;
  const batch = batchOfRows(fixture);
  const onResponse = batch.response.map((mark, slot) => (slot % batch.width > 0 ? mark : 0));
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(folder);
  });
  afterAll(() => model.dispose());

  test("that are all open gives every token the probability that transformers gives it", async () => {
    const gates = await createGates(model, { kind: "linear" });
    using pass = forward(model, batch, { gradients: null, attention: gatedPass(model, gates, exempt) });
    const { logProb } = await pass.read(["logProb"]);
    const wanted = padded(expected.nll).map((nll, i) => -nll * onResponse[i]!);
    expect(distance(logProb, wanted)).toBeLessThan(1e-4);
    gates.dispose();
  });

  test("gives them the gradient by which its loss changes", async () => {
    const gates = await halfOpenGates(model);
    const attention = gatedPass(model, gates, { ...exempt, relaxation: "soft" });
    const loss = async (): Promise<number> => {
      using pass = forward(model, batch, { gradients: null, attention });
      const { logProb } = await pass.read(["logProb"]);
      return logProb.reduce((sum, value, i) => sum - (onResponse[i]! === 1 ? value : 0), 0);
    };
    const gradients = gradientStore();
    using pass = forward(model, batch, { gradients, attention });
    await pass.read(["logProb"]);
    pass.backward({ logProb: Float32Array.from(onResponse, (mark) => (mark === 1 ? -1 : 0)) });
    for (const { name, variable } of gates.parameters) {
      // along the gradient itself the loss changes by the gradient's length
      const direction = gradients.get(variable)!;
      const length = Math.hypot(...(await direction.data<"float32">()));
      const step = 0.02;
      const moveBy = (by: number): void =>
        tf.tidy(() => variable.assign(tf.add(variable, tf.mul(direction, by / length))));
      moveBy(step);
      const after = await loss();
      moveBy(-2 * step);
      const before = await loss();
      moveBy(step);
      const slope = (after - before) / (2 * step);
      if (!(Math.abs(slope - length) < 0.02 * length + 2e-3))
        throw new Error(`${name}: the loss rises by ${slope}, the gradient says ${length}`);
    }
    gradients.clear();
    gates.dispose();
  });
});

/** Gates that differ from token to token, far from where a soft gate is cut off. */
function halfOpenGates(model: Model): Promise<GateNetwork> {
  return gatesFrom(model, { kind: "linear" }, (name, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return name.endsWith("bias") ? new Float32Array(size).fill(0.5) : normalValues(size, 0.2, stream(name));
  });
}
