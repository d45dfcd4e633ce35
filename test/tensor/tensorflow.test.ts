import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";
import { probeTensorflowEngine } from "../../src/tensor/engines/tensorflow/index.ts";
import { userError } from "../user-error.ts";
import { describeEngine } from "./conformance.ts";

const found = probeTensorflowEngine();

if (found.available) {
  describeEngine(`tensorflow on ${found.device}`, async () => void (await useEngine("tensorflow")));
  test("says nothing of its own accord, whatever Node makes of the functions it calls", () => {
    const program = `
      import * as tf from "@tensorflow/tfjs-core";
      import { useEngine } from "./src/tensor/engine.ts";
      await useEngine("tensorflow");
      const product = tf.matMul(tf.ones([4, 8]), tf.ones([8, 4]));
      console.log((await tf.sum(tf.concat([product, product])).data())[0]);`;
    const flags = ["--import", "tsx", "--input-type=module", "--eval", program];
    const cwd = fileURLToPath(new URL("../../", import.meta.url));
    const { stdout, stderr } = spawnSync(process.execPath, flags, { cwd, encoding: "utf8", timeout: 60_000 });
    expect({ stdout, stderr }).toEqual({ stdout: "256\n", stderr: "" });
  });
  afterAll(releaseEngine);
} else {
  process.stdout.write(`TensorFlow tests are skipped: ${found.reason} (npm run setup:tensorflow -- cpu)\n`);
  describe("tensorflow", () => {
    test("is refused with the reason and the fix", async () => {
      await expect(useEngine("tensorflow")).rejects.toThrow(userError("engine-unavailable", found.reason));
      expect(tf.engine().registryFactory.tensorflow).toBeUndefined();
    });
  });
}
