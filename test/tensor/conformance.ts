import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { withPlainDefinitions } from "../../src/tensor/ops/index.ts";
import { usePlainBackend } from "./backend.ts";
import { expectClose } from "./compare.ts";
import type { Numbers } from "./compare.ts";
import { attention, largerCases } from "./larger-cases.ts";
import { runners } from "./operations.ts";
import type { Arguments, PackedTensor } from "./operations.ts";
import { trainThreeSteps } from "./step.ts";

interface Case extends Arguments {
  operation: string;
  case: string;
  expected: Record<string, PackedTensor>;
  magnitude?: number;
}

const path = new URL("../fixtures/tensor/operations.json", import.meta.url);
const cases = JSON.parse(readFileSync(path, "utf8")) as Case[];

/**
 * Declares the tests that every engine must pass: the operations agree with PyTorch on small and nasty cases, and with
 * their plain definitions on TensorFlow.js' own cpu backend on larger ones; nothing may leak.
 * @param start makes the engine TensorFlow.js' current backend
 */
export function describeEngine(engine: string, start: () => Promise<unknown>): void {
  describeAgainstPyTorch(engine, start);
  describe(`${engine}: agrees with the plain definition`, () => {
    beforeAll(start);
    test.each(Object.entries(largerCases()))("%s", async (name, given) => {
      const operation = name.split(",")[0]!;
      const before = tf.memory().numTensors;
      const found = await runners[operation]!(given);
      expect(tf.memory().numTensors).toBe(before);
      expectClose(found, await onPlainCpu(() => runners[operation]!(given)));
    });

    test("three two-phase training steps", async () => {
      const before = tf.memory().numTensors;
      const found = await trainThreeSteps();
      expect(tf.memory().numTensors).toBe(before);
      const expected = await onPlainCpu(trainThreeSteps);
      expectClose(found, expected, 1e-4, 1);
      const total = (step: number) => found[`logProb ${step}`]!.reduce((a, b) => a + b);
      expect(total(3)).toBeGreaterThan(total(1));
    });
  });
}

/** Each operation's values and gradients against PyTorch, on whatever backend `start` makes current. */
export function describeAgainstPyTorch(engine: string, start: () => Promise<unknown>): void {
  describe(`${engine}: agrees with PyTorch`, () => {
    beforeAll(start);
    test.each(cases.map((each) => [each.operation, each.case, each] as const))("%s: %s", async (operation, _, each) => {
      const before = tf.memory().numTensors;
      const found = await runners[operation]!(each);
      const expected = Object.entries(each.expected).map(([name, packed]) => [name, packed.values] as const);
      expectClose(found, Object.fromEntries(expected), 1e-5, each.magnitude);
      expect(tf.memory().numTensors).toBe(before);
    });

    test("the prompt mass is the mean over heads of the attention on prompt keys", async () => {
      const given = attention("mass", [0, 9, 10, 40], 6, 3, 8, true);
      const found = await runners.causalAttention!(given);
      expectClose({ promptMass: found.promptMass! }, { promptMass: explicitPromptMass(given) }, 1e-6);
    });
  });
}

async function onPlainCpu(body: () => Promise<Numbers>): Promise<Numbers> {
  const backend = tf.getBackend();
  await usePlainBackend();
  try {
    return await withPlainDefinitions(body);
  } finally {
    await tf.setBackend(backend);
  }
}

/** In float64, by the explicit softmax over all visible keys. */
function explicitPromptMass({
  q,
  k,
  starts,
  heads,
  keyValueHeads,
  promptKeys,
}: ReturnType<typeof attention> & Arguments) {
  const width = q.shape[1]! / heads;
  const prompt = promptKeys as number[];
  const dot = (query: number, head: number, key: number): number => {
    const [a, b] = [
      query * heads * width + head * width,
      (key * keyValueHeads + Math.floor((head * keyValueHeads) / heads)) * width,
    ];
    return Array.from({ length: width }, (_, i) => q.values[a + i]! * k.values[b + i]!).reduce((x, y) => x + y);
  };
  return Array.from({ length: q.shape[0]! }, (_, query) => {
    const first = starts.findLast((start) => start <= query)!;
    const keys = Array.from({ length: query - first + 1 }, (_, i) => first + i);
    const masses = Array.from({ length: heads }, (_, head) => {
      const weights = keys.map((key) => Math.exp(dot(query, head, key) / Math.sqrt(width)));
      const onPrompt = weights.filter((_, i) => prompt[keys[i]!] === 1);
      return onPrompt.reduce((x, y) => x + y, 0) / weights.reduce((x, y) => x + y, 0);
    });
    return masses.reduce((x, y) => x + y) / heads;
  });
}
