import { afterAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";
import { probeTensorflowEngine } from "../../src/tensor/engines/tensorflow/index.ts";
import { describeEngine } from "./conformance.ts";

const found = probeTensorflowEngine();

if (found.available) {
  describeEngine(`tensorflow on ${found.device}`, async () => void (await useEngine("tensorflow")));
  afterAll(releaseEngine);
} else {
  process.stdout.write(`TensorFlow tests are skipped: ${found.reason} (npm run setup:tensorflow -- cpu)\n`);
  describe("tensorflow", () => {
    test("is refused with the reason and the fix", async () => {
      await expect(useEngine("tensorflow")).rejects.toThrow(found.reason);
      expect(tf.engine().registryFactory.tensorflow).toBeUndefined();
    });
  });
}
