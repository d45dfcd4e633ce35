import { afterAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";
import { probeWebgpuEngine } from "../../src/tensor/engines/webgpu/index.ts";
import { describeEngine } from "./conformance.ts";

const found = await probeWebgpuEngine();

if (found.available) {
  const start = async () => void (await useEngine("webgpu"));
  describeEngine(`webgpu on ${found.device}`, start);
  afterAll(releaseEngine);
} else {
  process.stdout.write(
    `WebGPU tests are skipped: ${found.reason}. Without a GPU, Chromium's software adapter serves:\n` +
      "  LD_LIBRARY_PATH=/usr/lib/chromium VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json " +
      "npm test -- test/tensor/webgpu\n",
  );
  describe("webgpu", () => {
    test("is refused with the reason and the fix", async () => {
      await expect(useEngine("webgpu")).rejects.toThrow(found.reason);
      expect(tf.engine().registryFactory.webgpu).toBeUndefined();
    });
  });
}
