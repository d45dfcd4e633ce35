import { describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import {
  createAdapter,
  forward,
  generate,
  gradientStore,
  loadAdapter,
  withAdapter,
  type LoraOptions,
} from "../../../src/model/index.ts";
import { trainableShare } from "../../../src/model/adapters/with-adapter.ts";
import { adamW } from "../../../src/training/index.ts";
import {
  distance,
  enginesHere,
  logitsOf,
  openDecoder,
  readReference,
  readTensors,
  referenceBatch,
} from "../reference.ts";
import { userError } from "../../user-error.ts";
import {
  adapterFixture,
  adapterFixtures,
  fillB,
  firstText,
  peftLogits,
  peftReference,
  weightedLoss,
} from "./adapters.ts";

const everyCase = enginesHere().flatMap((engine) => adapterFixtures().map((name) => ({ engine, name })));

/** Largest ratio of a difference's length to that of what it differs from. */
function relativeDistance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const length = (values: readonly number[]): number => Math.hypot(...values);
  return length(Array.from(expected, (value, i) => value - actual[i]!)) / length(Array.from(expected));
}

describe.each(everyCase)("PEFT's adapter $name on the $engine engine", ({ engine, name }) => {
  const below = peftReference(name).model;

  test("gives PEFT's logits", async () => {
    const base = await openDecoder(below, engine);
    const model = withAdapter(base, await loadAdapter(adapterFixture(name), base));
    const expected = peftLogits(name).flat();
    const actual = (await logitsOf(model, firstText(below))).flat();
    expect(distance(actual, expected) / Math.max(...expected.map(Math.abs))).toBeLessThan(1e-5);
    expect(distance(expected, readReference(below).logits.flat())).toBeGreaterThan(0.1); // the adapter matters
    model.dispose();
    base.dispose();
  });

  test("gets PyTorch's gradients on all that is trained, and the model none", async () => {
    const base = await openDecoder(below, engine);
    const model = withAdapter(base, await loadAdapter(adapterFixture(name), base));
    const { gradients } = await weightedLoss(model, below, { withGradients: true });
    const expected = await readTensors(adapterFixture(name, "gradients.safetensors"));
    expect([...gradients.keys()].sort()).toEqual([...expected.keys()].sort());
    const largest = Math.max(...[...expected.values()].map((values) => Math.max(...values.map(Math.abs))));
    for (const [parameter, values] of expected) {
      expect(distance(gradients.get(parameter)!, values) / largest).toBeLessThan(1e-5);
      expect(relativeDistance(gradients.get(parameter)!, values)).toBeLessThan(1e-5);
    }
    model.dispose();
    base.dispose();
  });
});

const embeddings = ["embed_tokens", "lm_head", "q_proj"];

/** The model of the fixture "tied" with an adapter whose B are not 0. */
async function adapted(options: Partial<LoraOptions> = {}, engine: "plain" | "cpu" = "plain") {
  const base = await openDecoder("tied", engine);
  const adapter = await createAdapter(base, { rank: 2, seed: 5, ...options });
  fillB(adapter, 1);
  const model = withAdapter(base, adapter);
  return { base, adapter, model, dispose: () => (model.dispose(), base.dispose()) };
}

/** Shapes of the products with a transposed first factor, as weight gradients are, of `body`. */
function transposedProducts(body: () => void): string[] {
  const kernel = tf.getKernel("BatchMatMul", "cpu");
  const { kernelFunc } = kernel;
  const shapes: string[] = [];
  kernel.kernelFunc = (parameters) => {
    const result = kernelFunc(parameters);
    if (parameters.attrs?.["transposeA"] === true && !Array.isArray(result)) shapes.push(result.shape.slice(-2).join());
    return result;
  };
  try {
    body();
  } finally {
    kernel.kernelFunc = kernelFunc;
  }
  return shapes;
}

describe("a model with an adapter", () => {
  const text = firstText("tied");
  const batch = referenceBatch(readReference("tied"));

  test("is the model itself, bit for bit, while the adapter is fresh", async () => {
    const base = await openDecoder("tied");
    const model = withAdapter(base, await createAdapter(base, { rank: 4 }));
    expect(await logitsOf(model, text)).toEqual(await logitsOf(base, text));
    model.dispose();
    base.dispose();
  });

  test("leaves the model below it as it was, bit for bit", async () => {
    const untouched = await openDecoder("tied");
    const expected = await logitsOf(untouched, text);
    const { base, model, dispose } = await adapted();
    expect(await logitsOf(model, text)).not.toEqual(expected);
    expect(await logitsOf(base, text)).toEqual(expected);
    expect(model.trunk).toBe(base);
    dispose();
    untouched.dispose();
  });

  test("computes no gradient of frozen weights", async () => {
    const { base, model, dispose } = await adapted();
    const weights = new Set(
      base.layers.flatMap(({ projections: { q, k, gate, down } }) => [q!, k!, gate!, down!].map(shapeOf)),
    );
    const backward = (): string[] => {
      const gradients = gradientStore();
      using pass = forward(model, batch, { gradients });
      const found = transposedProducts(() =>
        pass.backward({ logProb: Float32Array.from(batch.response, (trained) => trained) }),
      );
      gradients.clear();
      return found.filter((shape) => weights.has(shape));
    };
    expect(backward()).toEqual([]);
    (base.layers[1]!.projections.gate!.weight as tf.Variable).trainable = true; // shows that the count would see one
    expect(backward()).toEqual([shapeOf(base.layers[1]!.projections.gate!)]);
    dispose();
  });

  test.each<[string, Partial<LoraOptions>, string[]]>([
    ["of projections", { rsLora: true }, ["lora_A", "lora_B"]],
    ["of embeddings", { targetModules: embeddings }, ["lora_embedding_A", "lm_head.lora_A", "lm_head.lora_B"]],
    ["of magnitudes", { dora: true }, ["lora_magnitude_vector"]], // of A and B none would: the norm is a constant to them
    ["of whole modules", { modulesToSave: ["lm_head", "norm"] }, ["lm_head.weight", "norm.weight"]],
  ])("has gradients %s that agree with finite differences, dropout included", async (_, options, parts) => {
    const { adapter, model, dispose } = await adapted({ dropout: 0.3, ...options });
    const at = async (withGradients = false) => {
      adapter.startStep(3);
      return weightedLoss(model, "tied", { withGradients });
    };
    const { gradients } = await at(true);
    for (const which of parts) {
      const moved = adapter.parameters.filter(({ name }) => name.includes(which));
      let squares = 0;
      for (const { name } of moved) gradients.get(name)!.forEach((value) => (squares += value * value));
      const size = 2e-3 / Math.sqrt(squares); // along the gradient itself, so the slope is its norm
      const move = (factor: number): void =>
        moved.forEach(({ name, variable }) =>
          tf.tidy(() =>
            variable.assign(
              tf.add(
                variable,
                tf.tensor(
                  gradients.get(name)!.map((g) => g * factor),
                  variable.shape,
                ),
              ),
            ),
          ),
        );
      move(size);
      const { loss: above } = await at();
      move(-2 * size);
      const { loss: below } = await at();
      move(size);
      expect((above - below) / (2 * size) / squares).toBeCloseTo(1, 2);
    }
    dispose();
  });

  test("shares its trunk with others, which it does not disturb", async () => {
    const base = await openDecoder("tied");
    const adapters = [
      await createAdapter(base, { rank: 2, seed: 1 }),
      await createAdapter(base, { rank: 3, projections: ["q", "up"] }),
    ];
    adapters.forEach(fillB);
    const [first, second] = adapters.map((adapter) => withAdapter(base, adapter));
    const [unadapted, before] = [await logitsOf(base, text), await logitsOf(second!, text)];
    const gradients = gradientStore();
    const optimizer = adamW(first!.parameters);
    const own = await logitsOf(first!, text);
    // both passes are under way before either is walked backward
    using pass = forward(first!, batch, { gradients });
    using other = forward(second!, batch, { gradients: gradientStore() });
    await other.read(["logProb"]);
    pass.backward({ logProb: Float32Array.from(batch.response, (trained) => -trained) });
    optimizer.update(gradients, { learningRate: 0.01, gradientScale: 1 });
    expect(await logitsOf(second!, text)).toEqual(before);
    expect(await logitsOf(first!, text)).not.toEqual(own);
    expect(await logitsOf(base, text)).toEqual(unadapted);
    expect([...optimizer.moments().keys()]).toEqual(adapters[0]!.parameters.map(({ name }) => name));
    gradients.clear();
    optimizer.dispose();
    first!.dispose();
    expect(await logitsOf(second!, text)).toEqual(before);
    second!.dispose();
    base.dispose();
  });

  test("learns: a few steps raise the likelihood of a text", async () => {
    const { model, dispose } = await adapted();
    const gradients = gradientStore();
    const optimizer = adamW(model.parameters);
    const losses: number[] = [];
    for (let step = 0; step < 12; step++) {
      using pass = forward(model, batch, { gradients });
      const { logProb } = await pass.read(["logProb"]);
      losses.push(-logProb.reduce((a, b) => a + b, 0));
      pass.backward({ logProb: Float32Array.from(batch.response, (trained) => -trained) });
      optimizer.update(gradients, { learningRate: 0.02, gradientScale: 1 });
      gradients.clear();
    }
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!);
    optimizer.dispose();
    dispose();
  });

  test("generates as its logits say", async () => {
    const { model, dispose } = await adapted();
    const [row] = await generate(model, [text], { maxNewTokens: 1 });
    const last = (await logitsOf(model, text)).at(-1)!;
    expect(row!.ids).toEqual([last.indexOf(Math.max(...last))]);
    dispose();
  });

  test.each<Partial<LoraOptions>>([{ targetModules: embeddings }, { targetModules: embeddings, dora: true }])(
    "computes with the values that it has after an update in place: %j",
    async (options) => {
      const { adapter, model, base, dispose } = await adapted(options, "cpu"); // which updates in place
      const optimizer = adamW(model.parameters);
      const gradients = gradientStore();
      {
        using pass = forward(model, batch, { gradients });
        pass.backward({ logProb: Float32Array.from(batch.response, (trained) => -trained) });
      }
      const before = await logitsOf(model, text);
      optimizer.update(gradients, { learningRate: 0.1, gradientScale: 1 });
      gradients.clear();
      const after = await logitsOf(model, text);
      expect(distance(after.flat(), before.flat())).toBeGreaterThan(1e-2);
      // another model over the same values, which has computed nothing before
      const fresh = await createAdapter(base, adapter.settings);
      adapter.parameters.forEach(({ variable }, i) => {
        tf.tidy(() => fresh.parameters[i]!.variable.assign(tf.mul(variable, 1)));
      });
      const same = withAdapter(base, fresh);
      expect(await logitsOf(same, text)).toEqual(after);
      same.dispose();
      optimizer.dispose();
      dispose();
    },
  );

  test("refuses a magnitude of the output projection together with dropout", async () => {
    const base = await openDecoder("untied");
    const adapter = await createAdapter(base, { rank: 1, dora: true, dropout: 0.1, targetModules: ["lm_head"] });
    expect(() => withAdapter(base, adapter)).toThrow(userError("unsupported-adapter", "lm_head"));
    adapter.dispose();
    base.dispose();
  });

  test("leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    const { model, adapter, dispose } = await adapted({ dropout: 0.2 });
    const held = tf.memory().numTensors;
    for (const withGradients of [true, false]) {
      adapter.startStep(1);
      await weightedLoss(model, "tied", { withGradients });
      expect(tf.memory().numTensors).toBe(held);
    }
    dispose();
    dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  test("tells how many of its numbers are trained", async () => {
    const { base, model, dispose } = await adapted({ rank: 2, projections: ["k", "down"], layers: [1] });
    // k [8, 16] and down [16, 24] of one layer: 2 * (8 + 16) + 2 * (16 + 24)
    const total = base.parameters.reduce((sum, { variable }) => sum + variable.size, 0) + 128;
    expect(trainableShare(model)).toEqual({ trainable: 128, total, share: 128 / total });
    expect(trainableShare(base).trainable).toBe(0);
    dispose();
  });
});

describe("an adapter", () => {
  test("starts from the same numbers for the same seed", async () => {
    const base = await openDecoder("tied");
    const start = async (seed: number) => {
      const adapter = await createAdapter(base, { rank: 2, seed });
      const values = adapter.parameters.map(({ variable }) => Array.from(variable.dataSync()));
      adapter.dispose();
      return { values, fingerprint: adapter.fingerprint };
    };
    const [first, again, other] = [await start(1), await start(1), await start(2)];
    const { values: a, fingerprint } = first;
    expect(again).toEqual(first);
    expect(other.values).not.toEqual(a);
    expect(other.fingerprint).not.toBe(fingerprint);
    expect(Math.max(...a[0]!.map(Math.abs))).toBeLessThan(1 / 4); // A: within 1 / sqrt(16)
    expect(a[1]!.every((value) => value === 0)).toBe(true);
    base.dispose();
  });

  test("is refused with options that make no sense, and leaves no tensor", async () => {
    const base = await openDecoder("tied");
    const before = tf.memory().numTensors;
    const wrong: [Partial<LoraOptions>, string][] = [
      [{ rank: 0 }, "rank"],
      [{ rank: 1.5 }, "rank"],
      [{ alpha: 0 }, "alpha"],
      [{ dropout: 1 }, "dropout"],
      [{ projections: [] }, "projections"],
      [{ projections: ["Q" as "q"] }, 'not "Q"'],
      [{ layers: [2] }, "layers"],
    ];
    for (const [options, option] of wrong) {
      await expect(createAdapter(base, { rank: 2, ...options })).rejects.toThrow(userError("invalid-option", option));
    }
    expect(tf.memory().numTensors).toBe(before);
    base.dispose();
  });

  test("fits only models of its shape, and no model twice", async () => {
    const [tied, untied] = [await openDecoder("tied"), await openDecoder("untied")];
    const adapter = await createAdapter(tied, { rank: 2 });
    expect(() => withAdapter(untied, adapter)).toThrow(userError("model-mismatch", "model.layers.0.self_attn.q_proj"));
    expect(untied.parameters.every(({ trainable }) => trainable)).toBe(true);
    expect(() => withAdapter(withAdapter(tied, adapter), adapter)).toThrow(userError("adapted-model"));
    [adapter, tied, untied].forEach((each) => each.dispose());
  });
});

const shapeOf = ({ weight }: { weight: Pick<tf.Tensor2D, "shape"> }): string => weight.shape.join();
