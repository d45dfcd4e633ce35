import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { createDropout } from "../../../src/model/adapters/dropout.ts";
import { createAdapter, forward, withAdapter, type LoraOptions } from "../../../src/model/index.ts";
import { distance, openDecoder, readReference, referenceBatch } from "../reference.ts";
import { fillB, weightedLoss } from "./adapters.ts";

async function adapted(dropout: number, options: Partial<LoraOptions> = {}) {
  const base = await openDecoder("tied");
  const adapter = await createAdapter(base, { rank: 2, seed: 5, dropout, ...options });
  fillB(adapter, 1);
  const model = withAdapter(base, adapter);
  return { adapter, model, dispose: () => (model.dispose(), base.dispose()) };
}

describe("dropout of an adapter", () => {
  test("zeroes its share and scales up the rest", async () => {
    await tf.setBackend("cpu");
    const dropout = createDropout(0.3, 1);
    dropout.startStep(1);
    const values = tf.tidy(() => dropout.apply(tf.ones([400, 50]), 0, "q").dataSync());
    const zeros = values.filter((value) => value === 0).length;
    // 20000 draws: the deviation of their share is sqrt(.3 * .7 / 20000) = .0032
    expect(Math.abs(zeros / values.length - 0.3)).toBeLessThan(0.013);
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / 0.7)]));
  });

  test("differs between steps, layers, projections and seeds, and repeats for the same", () => {
    const maskOf = (seed: number, step: number, layer: number, projection: string): string => {
      const dropout = createDropout(0.5, seed);
      dropout.startStep(step);
      return tf.tidy(() =>
        dropout
          .apply(tf.ones([4, 16]), layer, projection)
          .dataSync()
          .join(),
      );
    };
    const masks = [
      maskOf(1, 1, 0, "q"),
      maskOf(1, 1, 0, "k"),
      maskOf(1, 1, 1, "q"),
      maskOf(1, 2, 0, "q"),
      maskOf(2, 1, 0, "q"),
    ];
    expect(new Set(masks).size).toBe(masks.length);
    expect(maskOf(1, 1, 0, "q")).toBe(masks[0]);
  });

  test("makes a step that is run again, after others, the same bit for bit", async () => {
    const { adapter, model, dispose } = await adapted(0.4);
    const step = (n: number) => {
      adapter.startStep(n);
      return weightedLoss(model, "tied", { withGradients: true });
    };
    const first = await step(7);
    const second = await step(8);
    expect(second.loss).not.toBe(first.loss);
    expect(await step(7)).toEqual(first);
    dispose();
  });

  test.each<Partial<LoraOptions>>([{}, { dora: true }, { targetModules: ["embed_tokens", "lm_head", "q_proj"] }])(
    "does not depend on the division into micro-batches: %j",
    async (options) => {
      const { adapter, model, dispose } = await adapted(0.4, options);
      adapter.startStep(2);
      const whole = await weightedLoss(model, "tied", { withGradients: true });
      adapter.startStep(2);
      const parts = [
        await weightedLoss(model, "tied", { withGradients: true, rows: [0] }),
        await weightedLoss(model, "tied", { withGradients: true, rows: [1, 2, 3] }),
      ];
      expect(parts[0]!.loss + parts[1]!.loss).toBeCloseTo(whole.loss, 4);
      for (const [name, expected] of whole.gradients) {
        const sum = expected.map((_, i) => parts[0]!.gradients.get(name)![i]! + parts[1]!.gradients.get(name)![i]!);
        expect(distance(sum, expected)).toBeLessThan(1e-4);
      }
      dispose();
    },
  );

  test("is off where nothing is trained, and uses up no numbers there", async () => {
    const [dropping, plain] = [await adapted(0.4), await adapted(0)];
    const batch = referenceBatch(readReference("tied"));
    const score = async ({ model }: typeof plain) => {
      using pass = forward(model, batch, { gradients: null });
      return (await pass.read(["logProb"])).logProb;
    };
    expect(await score(dropping)).toEqual(await score(plain));
    dropping.adapter.startStep(1);
    const { loss } = await weightedLoss(dropping.model, "tied");
    dropping.adapter.startStep(1);
    await score(dropping);
    expect((await weightedLoss(dropping.model, "tied")).loss).toBe(loss);
    dropping.dispose();
    plain.dispose();
  });

  test("asks for the step that it is in", async () => {
    const { model, dispose } = await adapted(0.4);
    await expect(weightedLoss(model, "tied")).rejects.toThrow("startStep");
    dispose();
  });
});
