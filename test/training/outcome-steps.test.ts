import { beforeAll, describe, expect, test } from "@jest/globals";
import { gradientStore, type Decoder } from "../../src/model/index.ts";
import { isAdapted } from "../../src/model/adapters/with-adapter.ts";
import type { Parameter } from "../../src/model/decoder.ts";
import { createScoreHead } from "../../src/model/score-head.ts";
import {
  advantages,
  chooseResponses,
  policyObjective,
  rewardModelObjective,
  tokenWeights,
} from "../../src/reward/index.ts";
import { type PolicyAux } from "../../src/reward/policy-objective.ts";
import type { PolicyOptions } from "../../src/reward/policy-options.ts";
import { tokenRewardModel } from "../../src/reward/model/index.ts";
import {
  adamW,
  createLearner,
  optimizerStep,
  readNumbers,
  schedule,
  type Learner,
  type Optimizer,
  type StepBatch,
} from "../../src/training/index.ts";
import { openDecoder } from "../model/reference.ts";
import {
  batchOfRows,
  gradientsOf,
  onResponse,
  openAdapted,
  readOreal,
  storedGradients,
  under,
  type Response,
} from "../reward/oreal-fixture.ts";
import { relativeDistance } from "./reference.ts";

interface Objectives {
  rows: (Response & { advantage: number; omega: number[]; reference: number[] })[];
  cases: { name: string; options: PolicyOptions; parts: Record<string, number> }[];
  head: number[];
  rewards: { preset: "paper" | "released"; loss: number; omega: number[][] }[];
}

const { rows, cases, head, rewards } = readOreal<Objectives>("objectives.json");
let expected: Awaited<ReturnType<typeof gradientsOf>>;
beforeAll(async () => {
  expected = await gradientsOf("objectives.safetensors");
});
/** One micro-batch, or several of unequal width. */
const splits = [[[0, 1, 2, 3, 4, 5]], [[2, 3], [0, 1, 5], [4]]];
const still = { schedule: () => 0, clipNorm: 0 };

function batchesOf(split: number[][]): StepBatch<PolicyAux>[] {
  return split.map((chosen) => {
    const own = chosen.map((b) => rows[b]!);
    const batch = batchOfRows(own, chosen);
    const aux = {
      right: own.map(({ right }) => right),
      advantages: own.map(({ advantage }) => advantage),
      weights: onResponse(
        batch,
        own.map(({ omega }) => omega),
      ),
      referenceLogProb: onResponse(
        batch,
        own.map(({ reference }) => reference),
      ),
    };
    return { batch, aux };
  });
}

/** An optimizer that only takes down the gradients it is given. */
function recorder(parameters: readonly Parameter[]): {
  optimizer: Optimizer;
  taken: () => Promise<Map<string, Float32Array>>;
} {
  let found: Promise<Map<string, Float32Array>> | undefined;
  const optimizer: Optimizer = {
    updates: 0,
    update(store) {
      const copy = gradientStore();
      for (const { variable } of parameters) {
        const gradient = store.get(variable);
        if (gradient !== undefined) copy.add(variable, gradient.clone());
      }
      found = storedGradients(parameters, copy).finally(() => copy.clear());
    },
    moments: () => new Map(),
    dispose: () => undefined,
  };
  return { optimizer, taken: () => found! };
}

describe.each(cases)("the policy's step, $name", ({ name, options, parts }) => {
  test.each(splits)("is PyTorch's through the model, whatever the micro-batches", async (...split) => {
    const policy = await openDecoder("tied", "cpu");
    const { optimizer, taken } = recorder(policy.parameters);
    const learner = createLearner(policy, { optimizer, ...still });
    const step = await optimizerStep(learner, 0, batchesOf(split), policyObjective(options));
    for (const [term, value] of Object.entries(parts)) expect(step.parts[term]).toBeCloseTo(value, 5);
    expect(relativeDistance(await taken(), under(name, expected))).toBeLessThan(1e-5);
    policy.dispose();
  });
});

describe.each(rewards)("the reward model's step, $preset", ({ preset, loss, omega }) => {
  const scoreAt = preset === "paper" ? ("token" as const) : ("before" as const);

  test.each(splits)("is PyTorch's on head and adapter, whatever the micro-batches", async (...split) => {
    const decoder = await openAdapted("tied", "cpu");
    const model = tokenRewardModel(decoder, createScoreHead(decoder, Float32Array.from(head)));
    const { optimizer, taken } = recorder(model.parameters);
    const learner = createLearner(model, { optimizer, ...still });
    const step = await optimizerStep(learner, 0, batchesOf(split), rewardModelObjective({ scoreAt }));
    expect(step.loss).toBeCloseTo(loss, 5);
    expect(relativeDistance(await taken(), under(`reward ${preset}`, expected))).toBeLessThan(1e-5);
    model.dispose();
  });

  test("follows token weights that are PyTorch's", async () => {
    const decoder = await openAdapted("tied", "cpu");
    const model = tokenRewardModel(decoder, createScoreHead(decoder, Float32Array.from(head)));
    const { batch, aux } = batchesOf(splits[0]!)[0]!;
    using pass = model.pass(batch, null);
    const { score } = await pass.read(["score"]);
    const weights = tokenWeights(score, batch, aux.right, { preset });
    onResponse(batch, omega).forEach((value, i) => expect(weights[i]).toBeCloseTo(value, 5));
    model.dispose();
  });
});

interface Training {
  run: Record<
    | "iterations"
    | "policyLearningRate"
    | "rewardLearningRate"
    | "warmupSteps"
    | "weightDecay"
    | "clipNorm"
    | "beta1"
    | "beta2"
    | "epsilon",
    number
  >;
  /** Groups of responses to one question. */
  iterations: Response[][][];
  runs: Record<"weights" | "adapters", Run>;
}

interface Run {
  preset: "paper" | "released";
  policyFreeze: number;
  policySteps: number;
  records: {
    reward: number;
    rewardNorm: number;
    omega: number;
    policy: { parts: Record<string, number>; norm: number }[];
  }[];
  /** Sum and norm of every parameter at the end. */
  policy: Record<string, [sum: number, norm: number]>;
  rewardModel: Record<string, [sum: number, norm: number]>;
}

const presets = {
  paper: { range: "zero-one", estimator: "one-minus-p", positiveScale: "one", scoreAt: "token" },
  released: { range: "plus-minus-one", estimator: "rloo", positiveScale: "advantage", scoreAt: "before" },
} as const;

/** Kept responses of an iteration, two to a micro-batch. */
function keptBatches(
  groups: Response[][],
  { range, estimator }: (typeof presets)["paper" | "released"],
): StepBatch<PolicyAux>[] {
  const flat = groups.flat();
  const rewards = flat.map(({ right }) => (right ? 1 : range === "zero-one" ? 0 : -1));
  const outcomes = { groups: groups.flatMap((group, g) => group.map(() => g)), rewards, range };
  const worth = advantages(outcomes, { estimator });
  const { kept } = chooseResponses(outcomes, { keep: "all", seed: 1, iteration: 0 });
  const indices = [...kept.keys()].filter((k) => kept[k]);
  return Array.from({ length: Math.ceil(indices.length / 2) }, (_, i) => {
    const chosen = indices.slice(2 * i, 2 * i + 2);
    const own = chosen.map((k) => flat[k]!);
    const aux = { right: own.map((row) => row.right), advantages: chosen.map((k) => worth[k]!) };
    return { batch: batchOfRows(own, chosen), aux };
  });
}

/** Reference log-probabilities and token weights, as they are before the iteration's updates. */
async function prepared(
  batches: readonly StepBatch<PolicyAux>[],
  reference: Decoder,
  reward: Learner,
  preset: Run["preset"],
): Promise<StepBatch<PolicyAux>[]> {
  const ready: StepBatch<PolicyAux>[] = [];
  for (const { batch, aux } of batches) {
    const { score } = await readNumbers(reward, batch, ["score"]);
    const { logProb } = await readNumbers(reference, batch, ["logProb"]);
    const weights = tokenWeights(score, batch, aux.right, { preset });
    ready.push({ batch, aux: { ...aux, weights, referenceLogProb: logProb } });
  }
  return ready;
}

async function differences(parameters: readonly Parameter[], sums: Run["policy"]): Promise<number[]> {
  const found: number[] = [];
  for (const { name, variable } of parameters.filter(({ trainable }) => trainable)) {
    const [sum, norm] = sums[name]!;
    const values = await variable.data<"float32">();
    const [ownSum, squares] = values.reduce(([s, q], x) => [s + x, q + x * x], [0, 0]);
    found.push(Math.abs(ownSum! - sum) / Math.max(1, norm), Math.abs(Math.sqrt(squares!) - norm) / Math.max(1, norm));
  }
  return found;
}

describe("twenty alternating iterations on stored responses", () => {
  const { run, iterations, runs } = readOreal<Training>("training.json");
  const relative = (actual: number, wanted: number) => Math.abs(actual - wanted) / Math.max(1e-2, Math.abs(wanted));

  test.each(["weights", "adapters"] as const)("of %s are PyTorch's", async (kind) => {
    const { preset, policyFreeze, policySteps, records, ...end } = runs[kind];
    const open = () => (kind === "weights" ? openDecoder("tied", "cpu") : openAdapted("tied", "cpu"));
    const policy = await open();
    const reward = tokenRewardModel(await open());
    const optimizers = { policy: adamW(policy.parameters, run), reward: adamW(reward.parameters, run) };
    const rate = (learningRate: number, totalSteps: number) =>
      schedule({ kind: "cosine", learningRate, totalSteps, warmupSteps: run.warmupSteps });
    const policyRate = rate(run.policyLearningRate, (run.iterations - policyFreeze) * policySteps);
    const rewardRate = rate(run.rewardLearningRate, run.iterations);
    const learners = {
      policy: createLearner(policy, { optimizer: optimizers.policy, schedule: policyRate, clipNorm: run.clipNorm }),
      reward: createLearner(reward, { optimizer: optimizers.reward, schedule: rewardRate, clipNorm: run.clipNorm }),
    };
    const { positiveScale, scoreAt } = presets[preset];
    const objectives = {
      policy: policyObjective({ positives: "cloning", positiveScale }),
      reward: rewardModelObjective({ scoreAt }),
    };
    for (const [i, record] of records.entries()) {
      const chosen = keptBatches(iterations[i % iterations.length]!, presets[preset]);
      const reference = isAdapted(policy) ? policy.trunk : policy;
      const batches = await prepared(chosen, reference, learners.reward, preset);
      const taught = await optimizerStep(learners.reward, i, batches, objectives.reward);
      expect(relative(taught.loss, record.reward)).toBeLessThan(1e-3);
      expect(relative(taught.gradNorm, record.rewardNorm)).toBeLessThan(1e-3);
      for (const [s, wanted] of record.policy.entries()) {
        const number = (i - policyFreeze) * policySteps + s;
        const moved = await optimizerStep(learners.policy, number, batches, objectives.policy);
        for (const [term, value] of Object.entries(wanted.parts))
          expect(relative(moved.parts[term]!, value)).toBeLessThan(1e-3);
        expect(relative(moved.gradNorm, wanted.norm)).toBeLessThan(1e-3);
      }
    }
    expect(Math.max(...(await differences(policy.parameters, end.policy)))).toBeLessThan(1e-3);
    expect(Math.max(...(await differences(reward.parameters, end.rewardModel)))).toBeLessThan(1e-3);
    for (const optimizer of Object.values(optimizers)) optimizer.dispose();
    reward.dispose();
    policy.dispose();
  });
});

describe("a policy's step without any gradient", () => {
  test("leaves policy, moments and decay as they are", async () => {
    const policy = await openDecoder("tied", "cpu");
    const optimizer = adamW(policy.parameters, { weightDecay: 0.5 });
    const before = await Promise.all(
      policy.parameters.map(({ variable }) => variable.data<"float32">().then((x) => x.slice())),
    );
    const batches = batchesOf(splits[1]!).map(({ batch, aux }) => ({
      batch,
      aux: { ...aux, weights: new Float32Array(batch.ids.length) },
    }));
    const learner = createLearner(policy, { optimizer, schedule: () => 1, clipNorm: 0 });
    const step = await optimizerStep(learner, 0, batches, policyObjective({ klCoefficient: 0 }));
    const { loss, gradNorm } = step;
    expect([loss, gradNorm, optimizer.updates]).toEqual([0, 0, 0]);
    for (const [i, { variable }] of policy.parameters.entries()) expect(await variable.data()).toEqual(before[i]);
    optimizer.dispose();
    policy.dispose();
  });
});
