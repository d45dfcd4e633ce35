import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import type { TokenBatch } from "../../src/contract/index.ts";
import { gradientStore, type Model } from "../../src/model/index.ts";
import { asft } from "../../src/selection/asft.ts";
import { dft } from "../../src/selection/dft.ts";
import { full } from "../../src/selection/full.ts";
import { forwardKl, forwardKlGradient, targetLogProbs, targetLogProbsGradient } from "../../src/tensor/ops/index.ts";
import { lossGradient, planSignals, stepGradient, stepLoss } from "../../src/training/index.ts";
import { batchShare } from "../../src/training/reduce.ts";
import { objectiveOf } from "../../src/training/rule-objective.ts";
import { context } from "../selection/tokens.ts";
import { userError } from "../user-error.ts";
import { accumulateRule } from "./accumulate-rule.ts";
import { batchOf, gradientsOf, openModel, readJson, relativeDistance, type Reference } from "./reference.ts";

/** Made by `test/fixtures/selection/asft.py`. */
interface Fixture {
  rows: number;
  vocabulary: number;
  targets: number[];
  logits: number[];
  start: number[];
  cases: { coefficient: number; weighted: number; anchor: number; gradient: number[] }[];
}
const file = new URL("../fixtures/selection/asft.json", import.meta.url);
const fixture = JSON.parse(readFileSync(file, "utf8")) as Fixture;
const reference = readJson<Reference>("reference.json");

let model: Model;
let other: Model;
beforeAll(async () => {
  model = await openModel("tied");
  other = await openModel("tied", "history");
});
afterAll(() => {
  model.dispose();
  other.dispose();
});

const rows = [...reference.ids.keys()];

async function step(coefficient: number | undefined, start: Model | undefined, batch: TokenBatch) {
  const rule = coefficient === undefined ? dft() : asft({ coefficient });
  const store = gradientStore();
  const plan = planSignals(rule, [], start);
  const outcome = await accumulateRule({ model, rule, plan, batches: [batch], context: context(), gradients: store });
  const gradients = await gradientsOf(model, store, 1);
  store.clear();
  return { outcome, gradients };
}

describe("a rule with an anchor", () => {
  test.each(fixture.cases)(
    "has PyTorch's loss and gradient on every logit: coefficient $coefficient",
    async (expected) => {
      // with the identity as output embedding, hidden states are logits; each row is a response token of a batch
      const { rows: count, vocabulary, targets: ids, logits, start } = fixture;
      const outputEmbedding = tf.eye(vocabulary);
      const [hidden, startHidden] = [logits, start].map((values) => tf.tensor2d(values, [count, vocabulary]));
      const [own, before] = [hidden!, startHidden!].map((states) => ({ hidden: states, outputEmbedding }));
      const targets = Int32Array.from(ids);
      const logProb = targetLogProbs(hidden!, outputEmbedding, targets).logProb.dataSync<"float32">();
      const divergence = forwardKl(own!, before!).dataSync<"float32">();

      const rule = asft({ coefficient: expected.coefficient });
      const layout = { rows: 1, width: count, rowIds: Float64Array.of(0), endOfTurn: new Uint8Array(count) };
      const tokens = { ...layout, response: new Uint8Array(count).fill(1) };
      const weights = rule.weigh({ ...tokens, signals: { nll: logProb.map((x) => -x) } }, context());
      const aux = { weights, ...batchShare({ ...tokens, weights }, rule) };
      const objective = objectiveOf(rule);
      const { terms } = objective.evaluate({ logProb, forwardKl: divergence }, tokens, aux);
      expect(terms["weighted"]!.sum / terms["weighted"]!.mass).toBeCloseTo(expected.weighted, 5);
      expect(terms["anchor"]!.sum / terms["anchor"]!.mass).toBeCloseTo(expected.anchor, 5);

      const gradient = lossGradient(terms, objective.masses(tokens, aux));
      const asked = { needEmbedding: false };
      const parts = [
        targetLogProbsGradient(hidden!, outputEmbedding, targets, gradient.logProb!, asked).dHidden,
        forwardKlGradient(own!, before!, gradient.forwardKl!, asked).dHidden,
      ].map((part) => part.dataSync());
      expected.gradient.forEach((value, i) =>
        expect(Math.abs(parts[0]![i]! + parts[1]![i]! - value)).toBeLessThan(1e-6),
      );
    },
  );

  test("is the rule without one where the model is its own reference", async () => {
    const batch = batchOf(reference, rows);
    const [anchored, plain] = [await step(2, model, batch), await step(undefined, undefined, batch)];
    expect(Math.abs(anchored.outcome.parts["anchor"]!)).toBeLessThan(1e-5);
    expect(anchored.outcome.parts["weighted"]).toBe(plain.outcome.loss);
    expect(relativeDistance(anchored.gradients, plain.gradients)).toBeLessThan(1e-5);
  });

  test("adds in proportion to its coefficient, and counts a token as much as the data do", async () => {
    const batch = batchOf(reference, rows);
    const [once, twice] = [await step(1, other, batch), await step(2, other, batch)];
    const anchor = once.outcome.parts["anchor"]!;
    expect(anchor).toBeGreaterThan(1e-3);
    expect(twice.outcome.parts["anchor"]).toBeCloseTo(2 * anchor, 6);
    expect(twice.outcome.parts["weighted"]).toBe(once.outcome.parts["weighted"]);
    expect(relativeDistance(twice.gradients, once.gradients)).toBeGreaterThan(1e-3);

    // all tokens twice: the same divisor, twice the sum; only the first row: as that row alone
    const double = await step(1, other, {
      ...batch,
      dataWeights: Float32Array.from(batch.response, (mark) => 2 * mark),
    });
    expect(double.outcome.parts["anchor"]).toBeCloseTo(2 * anchor, 5);
    const first = Float32Array.from(batch.response, (mark, i) => (i < batch.width ? mark : 0));
    const [among, alone] = [
      await step(1, other, { ...batch, dataWeights: first }),
      await step(1, other, batchOf(reference, [0])),
    ];
    expect(among.outcome.eligible).toBe(alone.outcome.eligible);
    expect(among.outcome.parts["anchor"]).toBeCloseTo(alone.outcome.parts["anchor"]!, 5);
  });

  test("moves nothing in a step without a response", async () => {
    const batch = batchOf(reference, rows);
    const { outcome } = await step(1, other, { ...batch, response: new Uint8Array(batch.response.length) });
    expect(outcome).toMatchObject({ moves: false, loss: 0, empty: true });
  });

  test("is refused by name without a reference, and where weights alone are asked for", async () => {
    await expect(step(1, undefined, batchOf(reference, [0]))).rejects.toThrow(userError("missing-signal", "asft"));
    const batch = {
      rows: 1,
      width: 1,
      response: Uint8Array.of(1),
      weights: Float32Array.of(1),
      nll: Float32Array.of(1),
    };
    for (const reduce of [stepGradient, stepLoss]) {
      expect(() => reduce([batch], asft())).toThrow(userError("conflicting-options", "anchor"));
      expect(() => reduce([batch], full())).not.toThrow();
    }
  });
});
