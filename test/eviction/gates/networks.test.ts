import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { createGates, loadGates, saveGates } from "../../../src/eviction/gates/index.ts";
import { savedParameters } from "../../../src/model/saved-values.ts";
import { gatesFrom } from "../../../src/eviction/gates/network.ts";
import type { DecoderConfig } from "../../../src/model/index.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { recordTape } from "../../../src/tensor/tape.ts";
import { expectClose } from "../../tensor/compare.ts";
import { userError } from "../../user-error.ts";
import { matrix, reference } from "./reference.ts";

const { width, keyValueHeads, networks, starts, prefix } = reference;
const config = { width, keyValueHeads, layers: 1, initializerRange: 0.02 } as DecoderConfig;
const layout = { starts: Int32Array.from(starts), until: Int32Array.from(prefix.until) };
const shape = { heads: reference.gateHeads, headSize: reference.gateHeadSize, inner: reference.inner };

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-gates-"));
  await useEngine("cpu", { threads: 1, matmul: "wasm" });
});
afterAll(() => {
  releaseEngine();
  rmSync(folder, { recursive: true });
});

describe("gate networks", () => {
  test.each(networks.map((each) => [each.kind, each.scope, each] as const))(
    "of kind %s and scope %s are PyTorch's, with all gradients",
    async (kind, scope, { weights, probability, dProbability, dWeights }) => {
      const gates = await gatesFrom({ config }, { kind, scope, ...shape }, (name) =>
        Float32Array.from(weights[name.split(".")[2]!]!),
      );
      const [input, dy] = [matrix(reference.input), matrix(dProbability)];
      const before = tf.memory().numTensors;
      const tape = recordTape(() => gates.probabilities(0, input, layout));
      const found: Record<string, Float32Array> = { probability: await tape.result.data<"float32">() };
      const gradients = new Map<tf.Variable, tf.Tensor>();
      tape.backward([[tape.result, dy]], (variable, gradient) => gradients.set(variable, gradient));
      tape.dispose();
      for (const { name, variable } of gates.parameters)
        found[name.split(".")[2]!] = await gradients.get(variable)!.data<"float32">();
      expectClose(found, { probability, ...dWeights });
      tf.dispose([...gradients.values()]);
      expect(tf.memory().numTensors).toBe(before);
      gates.dispose();
      tf.dispose([input, dy]);
    },
  );

  test("start with a probability of keeping of .99, whatever they read", async () => {
    for (const kind of ["attention", "linear", "mlp"] as const) {
      const gates = await createGates({ config }, { kind, seed: 3 });
      const input = matrix(reference.input);
      const p = await gates.probabilities(0, input, layout).data<"float32">();
      p.forEach((each) => expect(each).toBeCloseTo(0.99, 2));
      gates.dispose();
    }
  });

  test("of scope causal know nothing of later tokens, of scope global nothing of other rows", async () => {
    for (const scope of ["causal", "global"] as const) {
      const gates = await createGates({ config: { ...config, initializerRange: 1 } }, { scope });
      const run = (values: ArrayLike<number>) => gates.probabilities(0, matrix(values), layout).data<"float32">();
      const before = await run(reference.input);
      const last = starts[1]! - 1; // the first row's last token
      const changed = reference.input.map((x, i) => (Math.floor(i / width) === last ? -x : x));
      const after = await run(changed);
      before.forEach((p, i) => {
        const token = Math.floor(i / keyValueHeads);
        if (token === last) expect(after[i]).not.toBe(p);
        else expect(after[i]).toBe(p);
      });
      gates.dispose();
    }
  });

  test("cost 3 D r + G r + G weights a layer", async () => {
    const gates = await createGates({ config }, { heads: 2, headSize: 3 });
    const size = gates.parameters.reduce((sum, { variable }) => sum + variable.size, 0);
    expect(size).toBe(3 * width * 6 + keyValueHeads * 6 + keyValueHeads);
    expect(gates.parameters.filter(({ decay }) => !decay).map(({ name }) => name)).toEqual(["gates.0.bias"]);
    gates.dispose();
  });

  test.each([
    [{ kind: "conv" as "mlp" }, "kind"],
    [{ initialKeep: 1 }, "initialKeep"],
    [{ heads: 0 }, "heads"],
  ])("refuse %p", (options, option) => {
    expect(() => createGates({ config }, options)).toThrow(userError("invalid-option", option));
  });
});

describe("saved gates", () => {
  const values = async (gates: Awaited<ReturnType<typeof createGates>>) =>
    Promise.all(gates.parameters.map(async ({ name, variable }) => [name, [...(await variable.data())]]));

  test("are loaded as they were", async () => {
    const gates = await createGates({ config }, { kind: "mlp", seed: 5, inner: 4 });
    await saveGates(gates, { config }, join(folder, "saved"), { card: "# Gates\n" });
    expect(JSON.parse(readFileSync(join(folder, "saved/gates.json"), "utf8"))).toHaveProperty("version", 1);
    const loaded = await loadGates(join(folder, "saved"), { config });
    expect(loaded.settings).toEqual(gates.settings);
    expect(loaded.use).toEqual({ sinks: 4, window: 16, threshold: 0.5, rows: "prompts" });
    expect(await values(loaded)).toEqual(await values(gates));
    [gates, loaded].forEach((each) => each.dispose());
  });

  test("know how they decided in training, which those of earlier releases do not say", async () => {
    const gates = await createGates({ config }, { kind: "linear" });
    const path = join(folder, "used");
    const use = { sinks: 2, window: 3, threshold: 0.25, rows: "text" } as const;
    await saveGates(gates, { config }, path, { card: "", use });
    const loaded = await loadGates(path, { config });
    expect(loaded.use).toEqual(use);
    const saved = JSON.parse(readFileSync(join(path, "gates.json"), "utf8")) as Record<string, unknown>;
    delete saved["use"];
    writeFileSync(join(path, "gates.json"), JSON.stringify(saved));
    const old = await loadGates(path, { config });
    expect(old.use).toEqual({ sinks: 4, window: 16, threshold: 0.5, rows: "prompts" });
    [gates, loaded, old].forEach((each) => each.dispose());
  });

  test("are refused for a model of another shape, and when damaged", async () => {
    const gates = await createGates({ config }, { kind: "linear" });
    const path = join(folder, "refused");
    await saveGates(gates, { config }, path, { card: "" });
    gates.dispose();
    await expect(loadGates(path, { config: { ...config, keyValueHeads: 1 } })).rejects.toThrow(
      userError("model-mismatch", /gates\.json: .*keyValueHeads 2.* 1\n/),
    );
    await expect(loadGates(folder, { config })).rejects.toThrow(userError("unreadable", "gates.json"));
    const before = tf.memory().numTensors;
    const bytes = readFileSync(join(path, "gates.safetensors"));
    writeFileSync(join(path, "gates.safetensors"), bytes.subarray(0, bytes.length - 4));
    await expect(loadGates(path, { config })).rejects.toThrow(userError("damaged-file", "gates.safetensors"));
    writeFileSync(join(path, "gates.json"), "[]");
    await expect(loadGates(path, { config })).rejects.toThrow(userError("unsupported-file", "gates.json"));
    expect(tf.memory().numTensors).toBe(before);
  });

  test("of keys and values, with a budget, keep by what they standardise; earlier releases refuse them", async () => {
    const options = { kind: "mlp", input: "key-value", inner: 4 } as const;
    const shaped = { config: { ...config, headSize: 3 } };
    const gates = await gatesFrom(shaped, options, (_, shape) =>
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.cos(i)),
    );
    const path = join(folder, "budget");
    await saveGates(gates, shaped, path, { card: "# Gates\n", use: { ratio: 0.4 } });
    expect(JSON.parse(readFileSync(join(path, "gates.json"), "utf8"))).toHaveProperty("version", 2);
    const loaded = await loadGates(path, shaped);
    expect(loaded.use).toEqual({ sinks: 4, window: 16, ratio: 0.4, rows: "prompts" });
    expect(loaded.constants.map(({ name }) => name)).toEqual(["gates.0.mean", "gates.0.deviation"]);
    const input = tf.tensor2d([...Array(2 * 2 * keyValueHeads * 3).keys()].map(Math.sin), [2, 2 * keyValueHeads * 3]);
    const layout = { starts: Int32Array.of(0, 2), until: Int32Array.of(2, 2) };
    const [before, after] = [gates, loaded].map((each) => each.scores(0, input, layout).dataSync());
    expect([...after!]).toEqual([...before!]);
    const both = { card: "", use: { ratio: 0.4, threshold: 0.5 } };
    await expect(saveGates(gates, shaped, path, both)).rejects.toThrow(userError("invalid-option", "threshold"));
    await expect(saveGates(gates, shaped, path, { card: "", use: { ratio: 0 } })).rejects.toThrow(
      userError("invalid-option", "ratio"),
    );
    [gates, loaded].forEach((each) => each.dispose());
    input.dispose();
  });

  test("are restored from a checkpoint's part", async () => {
    const [saved, fresh] = [await createGates({ config }, { seed: 1 }), await createGates({ config }, { seed: 2 })];
    const state = await savedParameters(saved.parameters).save();
    savedParameters(fresh.parameters).restore(state);
    expect(await values(fresh)).toEqual(await values(saved));
    expect(() => savedParameters(fresh.parameters).restore({})).toThrow(
      userError("damaged-checkpoint", "gates.0.query"),
    );
    [saved, fresh].forEach((each) => each.dispose());
  });
});
