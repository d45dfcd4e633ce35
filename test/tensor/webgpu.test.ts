import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import * as tf from "@tensorflow/tfjs-core";
import { releaseEngine, useEngine } from "../../src/tensor/engine.ts";
import { probeWebgpuEngine } from "../../src/tensor/engines/webgpu/index.ts";
import { adamwUpdate, swiglu } from "../../src/tensor/ops/index.ts";
import { userError } from "../user-error.ts";
import { describeEngine } from "./conformance.ts";
import { describeReads } from "./webgpu-reads.ts";

jest.setTimeout(300_000); // a software adapter compiles every shader

const found = await probeWebgpuEngine();

/** Ends the engine under a read and collects what is no longer referenced; a crash would be one of the process. */
const endUnderRead = `
  import { setImmediate } from "node:timers/promises";
  import * as tf from "@tensorflow/tfjs-core";
  import { releaseEngine, useEngine } from "./src/tensor/engine.ts";
  for (const time of ["first", "second"]) {
    await useEngine("webgpu");
    const read = tf.matMul(tf.ones([64, 64]), tf.ones([64, 64])).data();
    read.then(() => console.log(time, "answered"), () => console.log(time, "refused"));
    releaseEngine();
    for (let turns = 0; turns < 20; turns++) {
      gc();
      await setImmediate();
    }
  }
`;

if (found.available) {
  const start = async () => void (await useEngine("webgpu"));
  describeEngine(`webgpu on ${found.device}`, start);

  describe("webgpu: passes over memory", () => {
    beforeAll(start);
    test("one shader for each tensor that comes out", () => {
      const dispatches = jest.spyOn(tf.backend() as WebGPUBackend, "runWebGPUProgram");
      const settings = { learningRate: 0.1, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, step: 1 };
      tf.tidy(() => {
        const [gate, up] = [tf.ones<tf.Rank.R2>([3, 4]), tf.ones<tf.Rank.R2>([3, 4])];
        const [parameter, m, v] = [0, 1, 2].map(() => tf.variable(tf.ones([3, 4]))) as tf.Variable[];
        dispatches.mockClear();
        swiglu(gate, up);
        expect(dispatches).toHaveBeenCalledTimes(1);
        dispatches.mockClear();
        adamwUpdate(parameter!, gate, m!, v!, { ...settings, gradientScale: 1 });
        expect(dispatches).toHaveBeenCalledTimes(3);
        tf.dispose([parameter!, m!, v!]);
      });
      dispatches.mockRestore();
    });
  });
  describeReads();

  describe("webgpu: the end of the engine", () => {
    test("under a read refuses it, and neither crashes nor keeps the process", () => {
      const flags = ["--expose-gc", "--import", "tsx", "--input-type=module", "--eval", endUnderRead];
      const cwd = fileURLToPath(new URL("../../", import.meta.url));
      const { status, signal, stdout } = spawnSync(process.execPath, flags, { cwd, encoding: "utf8", timeout: 60_000 });
      expect({ status, signal, stdout }).toEqual({
        status: 0,
        signal: null,
        stdout: "first refused\nsecond refused\n",
      });
    });
  });
  afterAll(releaseEngine);
} else {
  process.stdout.write(
    `WebGPU tests are skipped: ${found.reason}. Without a GPU, Chromium's software adapter serves:\n` +
      "  LD_LIBRARY_PATH=/usr/lib/chromium VK_ICD_FILENAMES=/usr/lib/chromium/vk_swiftshader_icd.json " +
      "npm test -- test/tensor/webgpu\n",
  );
  describe("webgpu", () => {
    test("is refused with the reason and the fix", async () => {
      await expect(useEngine("webgpu")).rejects.toThrow(userError("engine-unavailable", found.reason));
      expect(tf.engine().registryFactory.webgpu).toBeUndefined();
    });
  });
}
