import { afterAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { listEngines, releaseEngine, useEngine } from "../../src/tensor/engine.ts";
import { userError } from "../user-error.ts";

afterAll(releaseEngine);

describe("useEngine", () => {
  test("cpu becomes the current backend and says who computes, with how many threads", async () => {
    const info = await useEngine("cpu", { threads: 1, matmul: "wasm" });
    expect(info).toMatchObject({ name: "cpu", backend: tf.getBackend(), threads: 1, gpu: false });
    expect(info.provider).not.toBe("");
    expect(info.device).not.toBe("");
    const product = tf.tidy(() => tf.matMul(tf.tensor2d([[1, 2]]), tf.tensor2d([[3], [4]])).dataSync());
    expect([...product]).toEqual([11]);
  });

  test("can be changed and released", async () => {
    const first = await useEngine("cpu", { threads: 1, matmul: "wasm" });
    releaseEngine();
    expect(tf.engine().registryFactory[first.backend]).toBeUndefined();
    expect((await useEngine("cpu", { threads: 1, matmul: "wasm" })).backend).toBe(tf.getBackend());
  });

  test("an engine that cannot run is refused with the reason and the fix of its listing", async () => {
    for (const listing of await listEngines()) {
      if (listing.available) continue;
      const failure: unknown = await useEngine(listing.name).catch((error: unknown) => error);
      expect(failure).toEqual(userError("engine-unavailable", listing.reason));
      expect(failure).toEqual(userError("engine-unavailable", listing.fix));
    }
  });
});

describe("listEngines", () => {
  test("lists every engine once; exactly one, which can run here, is chosen", async () => {
    const listings = await listEngines();
    expect(listings.map((listing) => listing.name).sort()).toEqual(["cpu", "tensorflow", "webgpu"]);
    const chosen = listings.filter((listing) => listing.chosen);
    expect(chosen).toHaveLength(1);
    expect(chosen[0]!.available).toBe(true);
    expect(listings.find((listing) => listing.name === "cpu")!.available).toBe(true);
  });

  test("auto takes a GPU only where there is one", async () => {
    const chosen = (await listEngines()).find((listing) => listing.chosen)!;
    expect(chosen.name !== "cpu").toBe(chosen.available && chosen.gpu);
  });
});
