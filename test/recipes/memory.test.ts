import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConfig, type ConfigDefinition } from "../../src/config/index.ts";
import { countingDataset } from "../data/tokens-fixture.ts";
import { readModelFacts } from "../../src/model/index.ts";
import { estimateTrainingMemory } from "../../src/model/memory.ts";
import { attentionGateDefinition } from "../../src/recipes/attention-gate/config.ts";
import { gateMemory } from "../../src/recipes/attention-gate/memory.ts";
import { cdpoDefinition } from "../../src/recipes/cdpo/config.ts";
import { cdpoMemory } from "../../src/recipes/cdpo/memory.ts";
import { orealDefinition } from "../../src/recipes/oreal/config.ts";
import { orealValues } from "../../src/recipes/oreal/objective.ts";
import type { OrealConfig } from "../../src/recipes/oreal/config-schema.ts";
import { orealMemory } from "../../src/recipes/oreal/memory.ts";
import type { MemoryInputs } from "../../src/recipes/kit/memory.ts";
import { finetuneDefinition } from "../../src/recipes/finetune/config.ts";
import { finetuneMemory } from "../../src/recipes/finetune/memory.ts";
import { writeConfig } from "./small-run.ts";

const root = resolve(import.meta.dirname, "../..");
const base = mkdtempSync(join(tmpdir(), "tokensift-memory-"));
afterAll(() => rmSync(base, { recursive: true }));

let shape: MemoryInputs["shape"];
/** Prompts are of one token each, as a row's first token is never its response. */
let inputs: MemoryInputs;
beforeAll(async () => {
  shape = (await readModelFacts(join(root, "models/tiny"))).config;
  inputs = { shape, tokens: countingDataset([100, 100, 300, 100]) };
});

function read<Config>(definition: ConfigDefinition<Config>, changes: object): Config {
  const rows = join(root, "datasets/word-problems/validation.arrow");
  const common = { model: join(root, "models/tiny"), data: { train: rows, validation: rows } };
  return loadConfig(definition, writeConfig(base, { ...common, ...changes })).config;
}

const weightsOf = (): number => estimateTrainingMemory(shape, { tokens: 1, responseTokens: 1 }).weights;

describe("the memory of a fine-tuning run", () => {
  const definition = finetuneDefinition({ method: "full" });
  const training = { steps: 2, batchSize: 4 };

  test("is that of its largest micro-batch", () => {
    const config = read(definition, { training: { ...training, microBatchSize: 1 } });
    expect(finetuneMemory(inputs).estimate(config)).toEqual(
      estimateTrainingMemory(shape, { tokens: 300, responseTokens: 299, accumulates: true }),
    );
  });

  test("counts the tokens of packed rows", () => {
    // two rows of 100 to one of 300: packed rows of 300 and 300 tokens, and as a step takes four, of the next epoch too
    const data = { train: join(root, "datasets/word-problems/validation.arrow"), packing: true, maxTokens: 300 };
    const of = (microBatchSize: number) =>
      finetuneMemory(inputs).estimate(read(definition, { data, training: { ...training, microBatchSize } }));
    const packed = (rows: number, accumulates: boolean) =>
      estimateTrainingMemory(shape, { tokens: 300 * rows, responseTokens: 300 * rows - 4, accumulates });
    expect(of(2)).toEqual(packed(2, true)); // 300 + 3 x 100: the first token of four rows is no response
    expect(of(1).peak).toBeLessThan(of(2).peak);
    expect(of(2).peak).toBeLessThan(of(4).peak);
  });

  test("falls with each saving, as with the setting that is named", () => {
    const { estimate, savings } = finetuneMemory(inputs);
    const config = read(definition, { training });
    expect(savings(config).map(({ settings }) => settings)).toEqual([
      "training.microBatchSize=1",
      "training.gradientCheckpointing=true",
      "adapter.rank=16",
    ]);
    for (const { settings, config: changed } of savings(config)) {
      expect(estimate(changed).peak).toBeLessThan(estimate(config).peak);
      const source = writeConfig(base, { ...JSON.parse(JSON.stringify(config)), compare: [] });
      expect(loadConfig(definition, source, { set: [settings] }).config).toMatchObject(
        JSON.parse(JSON.stringify(changed)),
      );
    }
  });
});

describe("the memory of an OREAL run", () => {
  const estimate = (config: OrealConfig) => orealMemory(inputs).estimate(config);
  const savings = (config: OrealConfig) => orealMemory(inputs).savings(config);
  const of = (changes: object) => read(orealDefinition(orealValues), changes);
  const plain = { preset: "rloo" };

  test("counts a reward model of its own with moments, and the model before training where it stays", () => {
    const alone = estimate(of({ objective: { ...plain, klCoefficient: 0 } }));
    const frozen = estimate(of({ objective: { ...plain, klCoefficient: 0.1, reference: "initial" } }));
    const rewarded = estimate(of({ objective: { ...plain, klCoefficient: 0, weights: { source: "learned" } } }));
    expect(frozen.peak - alone.peak).toBeCloseTo(weightsOf(), 0);
    expect(rewarded.peak - alone.peak).toBeCloseTo(3 * weightsOf(), 0);
  });

  test("falls with adapters", () => {
    const config = of({ objective: { weights: { source: "learned" } } });
    expect(savings(config).map(({ settings }) => settings)).toEqual([
      "policy.adapter.rank=16",
      "rewardModel.adapter.rank=16",
    ]);
    for (const saving of savings(config)) expect(estimate(saving.config).peak).toBeLessThan(estimate(config).peak);
  });
});

test("the memory of a cDPO run is that of the alignment where this trains all weights", () => {
  const { estimate, savings } = cdpoMemory(inputs);
  const config = read(cdpoDefinition(), {});
  // one pair: two rows of a prompt token and a response token
  expect(estimate(config)).toEqual(
    estimateTrainingMemory(shape, { tokens: 4, responseTokens: 2, gradientCheckpointing: false }),
  );
  const [saving] = savings(config);
  expect(saving!.settings).toBe("align.adapter.rank=16");
  expect(estimate(saving!.config).peak).toBeLessThan(estimate(config).peak);
});

test("the memory of an Attention-Gate run with gates alone has no moments of the model's", () => {
  const { estimate, savings } = gateMemory(inputs);
  const both = read(attentionGateDefinition(), {});
  const gates = read(attentionGateDefinition(), { mode: "pretrain" });
  expect(estimate(both).moments).toBe(2 * weightsOf());
  expect(estimate(gates).moments).toBeLessThan(0.1 * weightsOf());
  expect(savings(gates).map(({ settings }) => settings)).not.toContain("adapter.rank=16");
  const handedBack = read(attentionGateDefinition(), { mode: "pretrain", gates: { objective: "end-to-end" } });
  expect(estimate(gates).activations).toBeLessThan(0.5 * estimate(handedBack).activations);
});
