import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { forward } from "../../src/model/forward.ts";
import { gradientStore } from "../../src/model/gradients.ts";
import {
  batchOf,
  cases,
  distance,
  enginesHere,
  logitsOf,
  openDecoder,
  readGradients,
  readReference,
  referenceBatch,
} from "./reference.ts";

const everything = { entropy: true, entropyTop20: true, concentration: true, promptAttention: { layer: -1 } };
const names = ["logProb", "entropy", "entropyTop20", "concentration", "promptAttention"] as const;

const everyCase = enginesHere().flatMap((engine) => cases.map((name) => ({ engine, name })));

describe.each(everyCase)("the $name model on the $engine engine", ({ engine, name }) => {
  const reference = readReference(name);
  const batch = referenceBatch(reference);

  test("gives PyTorch's logits", async () => {
    const decoder = await openDecoder(name, engine);
    const logits = await logitsOf(decoder, reference.ids[0]!.slice(0, reference.lengths[0]));
    const expected = reference.logits.flat();
    expect(distance(logits.flat(), expected) / Math.max(...expected.map(Math.abs))).toBeLessThan(1e-5);
    decoder.dispose();
  });

  test("gives PyTorch's log-probabilities and entropies of every token", async () => {
    const decoder = await openDecoder(name, engine);
    using pass = forward(decoder, batch, { gradients: null, ...everything, positions: "all" });
    const read = await pass.read(["logProb", "entropy", "entropyTop20", "concentration"]);
    expect(distance(read.logProb, reference.logProb.flat())).toBeLessThan(1e-5);
    expect(distance(read.entropy, reference.entropy.flat())).toBeLessThan(1e-5);
    expect(distance(read.entropyTop20, reference.entropyTop20.flat())).toBeLessThan(1e-5);
    expect(distance(read.concentration, reference.concentration.flat())).toBeLessThan(1e-6);
    decoder.dispose();
  });

  test("gives PyTorch's attention on the prompt, of any layer", async () => {
    const decoder = await openDecoder(name, engine);
    for (const [layer, index] of [
      [0, 0],
      [1, 1],
      [-1, 1],
      [-2, 0],
    ] as const) {
      using pass = forward(decoder, batch, { gradients: null, promptAttention: { layer } });
      const { promptAttention } = await pass.read(["promptAttention"]);
      expect(distance(promptAttention, reference.promptAttention[index]!.flat())).toBeLessThan(1e-6);
    }
    decoder.dispose();
  });

  test("gives PyTorch's gradient of a weighted loss on every parameter", async () => {
    const decoder = await openDecoder(name, engine);
    const gradients = gradientStore();
    using pass = forward(decoder, batch, { gradients, promptAttention: { layer: 0 } });
    await pass.read(["logProb"]);
    pass.backward({ logProb: Float32Array.from(reference.weight.flat()) });
    const expected = await readGradients(name);
    expect(decoder.parameters.map(({ name }) => name).sort()).toEqual([...expected.keys()].sort());
    const largest = Math.max(...[...expected.values()].map((values) => Math.max(...values.map(Math.abs))));
    let squares = 0;
    for (const { name, variable } of decoder.parameters) {
      const actual = await gradients.get(variable)!.data<"float32">();
      expect(distance(actual, expected.get(name)!) / largest).toBeLessThan(1e-5);
      squares += expected.get(name)!.reduce((sum, value) => sum + value * value, 0);
    }
    expect((await gradients.globalNorm()) / Math.sqrt(squares)).toBeCloseTo(1, 5);
    gradients.clear();
    decoder.dispose();
  });

  test("computes a row alone as it does inside a batch", async () => {
    const decoder = await openDecoder(name, engine);
    using together = forward(decoder, batch, { gradients: null, ...everything });
    const all = await together.read(names);
    for (const row of reference.ids.keys()) {
      const single = referenceBatch(reference, [row]);
      using alone = forward(decoder, single, { gradients: null, ...everything });
      const own = await alone.read(names);
      for (const signal of names) {
        const inBatch = all[signal].subarray(row * batch.width, row * batch.width + single.width);
        expect(distance(own[signal], inBatch)).toBeLessThan(1e-5);
      }
    }
    decoder.dispose();
  });
});

describe("a forward pass", () => {
  const reference = readReference("tied");
  const batch = referenceBatch(reference);

  test("computes response tokens only, unless asked for all", async () => {
    const decoder = await openDecoder("tied");
    using pass = forward(decoder, batch, { gradients: null });
    const { logProb } = await pass.read(["logProb"]);
    const expected = reference.logProb.flat().map((value, i) => value * batch.response[i]!);
    expect(distance(logProb, expected)).toBeLessThan(1e-5);
    expect((await pass.read(["logProb"])).logProb).toBe(logProb);
    await expect(pass.read(["entropy"])).rejects.toThrow("was not asked to compute entropy");
    decoder.dispose();
  });

  test("can be read after its backward pass", async () => {
    const decoder = await openDecoder("tied");
    const gradients = gradientStore();
    using pass = forward(decoder, batch, { gradients, ...everything });
    pass.backward({ logProb: Float32Array.from(reference.weight.flat()) });
    const { promptAttention } = await pass.read(["logProb", "promptAttention"]);
    expect(distance(promptAttention, reference.promptAttention[1]!.flat())).toBeLessThan(1e-6);
    gradients.clear();
    decoder.dispose();
  });

  test("sends only tokens with a gradient back through the output projection", async () => {
    const decoder = await openDecoder("untied");
    const gradients = gradientStore();
    using pass = forward(decoder, batch, { gradients });
    const dLogProb = new Float32Array(batch.rows * batch.width);
    dLogProb[4] = 1;
    dLogProb[6] = -1;
    const products: number[][] = [];
    const kernel = tf.getKernel("BatchMatMul", "cpu");
    const { kernelFunc } = kernel;
    kernel.kernelFunc = (parameters) => {
      products.push(...Object.values(parameters.inputs).map((input) => (input as tf.Tensor).shape));
      return kernelFunc(parameters);
    };
    try {
      pass.backward({ logProb: dLogProb });
    } finally {
      kernel.kernelFunc = kernelFunc;
    }
    const { vocabularySize } = decoder.config;
    // logits gradient [2, V] twice: times the embedding, and transposed times the two hidden rows
    const rows = products.filter((shape) => shape.at(-1) === vocabularySize).map((shape) => shape.at(-2));
    expect(rows).toEqual([2, 2]);
    gradients.clear();
    decoder.dispose();
  });

  test("adds nothing for a gradient of zeros", async () => {
    const decoder = await openDecoder("tied");
    const gradients = gradientStore();
    using pass = forward(decoder, batch, { gradients });
    pass.backward({ logProb: new Float32Array(batch.rows * batch.width) });
    expect(decoder.parameters.filter(({ variable }) => gradients.get(variable) !== undefined)).toEqual([]);
    expect(await gradients.globalNorm()).toBe(0);
    decoder.dispose();
  });

  test("adds up over micro-batches", async () => {
    const decoder = await openDecoder("tied");
    const gradients = gradientStore();
    for (const rows of [
      [0, 3],
      [2, 1],
    ]) {
      const part = referenceBatch(reference, rows);
      using pass = forward(decoder, part, { gradients });
      const weights = rows.flatMap((row) => reference.weight[row]!.slice(0, part.width));
      pass.backward({ logProb: Float32Array.from(weights) });
    }
    const expected = await readGradients("tied");
    for (const { name, variable } of decoder.parameters) {
      const largest = Math.max(...expected.get(name)!.map(Math.abs));
      expect(distance(await gradients.get(variable)!.data(), expected.get(name)!) / largest).toBeLessThan(1e-5);
    }
    gradients.clear();
    decoder.dispose();
  });

  test("gives a frozen parameter no gradient and leaves the others as they were", async () => {
    const decoder = await openDecoder("tied");
    const frozen = [
      decoder.embedding as tf.Variable,
      decoder.layers[1]!.projections.q!.weight as tf.Variable,
      decoder.layers[0]!.norms.beforeAttention!.gain,
    ];
    for (const variable of frozen) variable.trainable = false;
    const gradients = gradientStore();
    using pass = forward(decoder, batch, { gradients });
    pass.backward({ logProb: Float32Array.from(reference.weight.flat()) });
    const expected = await readGradients("tied");
    for (const { name, variable, trainable } of decoder.parameters) {
      const gradient = gradients.get(variable);
      expect([name, gradient !== undefined]).toEqual([name, trainable]);
      if (gradient === undefined) continue;
      const largest = Math.max(...expected.get(name)!.map(Math.abs));
      expect(distance(await gradient.data(), expected.get(name)!) / largest).toBeLessThan(1e-5);
    }
    gradients.clear();
    decoder.dispose();
  });

  test("works without any token to predict", async () => {
    const decoder = await openDecoder("tied");
    const gradients = gradientStore();
    // a row without a response; a row of one token, which nothing predicts though it may be trained
    using pass = forward(decoder, batchOf([[3, 4, 5], [6]], [[0, 0, 0], [1]]), { gradients, ...everything });
    const read = await pass.read(names);
    for (const name of names) expect(Array.from(read[name])).toEqual([0, 0, 0, 0, 0, 0]);
    pass.backward({ logProb: Float32Array.of(0, 0, 0, 1, 0, 0) });
    expect(await gradients.globalNorm()).toBe(0);
    decoder.dispose();
  });

  test("names the place of a gradient that it cannot pass on", async () => {
    const decoder = await openDecoder("tied");
    const run = (t: number, value: number): void => {
      using pass = forward(decoder, batch, { gradients: gradientStore() });
      const dLogProb = new Float32Array(batch.rows * batch.width);
      dLogProb[t] = value;
      pass.backward({ logProb: dLogProb });
    };
    expect(() => run(batch.width + 3, 1)).toThrow("row 1, token 3 is 1");
    expect(() => run(batch.width + 5, NaN)).toThrow("row 1, token 5 is NaN");
    expect(() => run(2 * batch.width - 1, 1)).toThrow("a padding token is 1");
    using scoring = forward(decoder, batch, { gradients: null });
    expect(() => scoring.backward({ logProb: new Float32Array(batch.rows * batch.width) })).toThrow(
      "without gradients",
    );
    decoder.dispose();
  });

  test("refuses layers and token ids that the model does not have", async () => {
    const decoder = await openDecoder("tied");
    for (const layer of [2, -3, 0.5]) {
      expect(() => forward(decoder, batch, { gradients: null, promptAttention: { layer } })).toThrow(RangeError);
    }
    expect(() => forward(decoder, batchOf([[1, 48]], [[0, 1]]), { gradients: null })).toThrow(RangeError);
    decoder.dispose();
  });

  test("leaves no tensor behind, however it ends", async () => {
    const decoder = await openDecoder("untied");
    const gradients = gradientStore();
    const before = tf.memory().numTensors;
    const dLogProb = Float32Array.from(reference.weight.flat());
    const passes: (() => Promise<void>)[] = [
      async () => {
        using pass = forward(decoder, batch, { gradients, ...everything });
        await pass.read(names);
        pass.backward({ logProb: dLogProb });
      },
      async () => {
        using pass = forward(decoder, batch, { gradients, ...everything });
        pass.backward({ logProb: dLogProb });
      },
      async () => {
        using pass = forward(decoder, batch, { gradients, ...everything });
        await pass.read(["logProb"]);
        pass.backward({ logProb: new Float32Array(dLogProb.length) });
      },
      async () => {
        using pass = forward(decoder, batch, { gradients, ...everything });
        await pass.read(["logProb"]);
      },
      async () => {
        using pass = forward(decoder, batch, { gradients: null, ...everything });
        await pass.read(names);
      },
      async () => {
        const pass = forward(decoder, batch, { gradients: null, ...everything });
        pass[Symbol.dispose]();
        await Promise.resolve();
      },
    ];
    for (const pass of passes) {
      await pass();
      gradients.clear();
      expect(tf.memory().numTensors).toBe(before);
    }
    decoder.dispose();
    expect(tf.memory().numTensors).toBe(before - decoder.parameters.length);
  });

  test("keeps nothing but the signals alive when there is no backward pass", async () => {
    const decoder = await openDecoder("tied");
    const before = tf.memory().numTensors;
    using pass = forward(decoder, batch, { gradients: null, ...everything });
    expect(tf.memory().numTensors - before).toBe(names.length);
    await pass.read(["logProb"]);
    expect(tf.memory().numTensors).toBe(before);
    decoder.dispose();
  });
});
