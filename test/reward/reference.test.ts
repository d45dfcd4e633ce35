import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import type { Tokens } from "../../src/contract/index.ts";
import { advantages, policyObjective, rewardModelObjective, tokenWeights } from "../../src/reward/index.ts";
import type { AdvantageOptions } from "../../src/reward/advantages.ts";
import type { PolicyOptions } from "../../src/reward/policy-options.ts";
import type { TokenWeightOptions } from "../../src/reward/token-weights.ts";
import { klEstimate } from "../../src/reward/kl.ts";
import type { KlForm } from "../../src/reward/kl.ts";
import type { RewardRange } from "../../src/reward/outcomes.ts";
import type { ScoreAt } from "../../src/reward/scores.ts";
import { farthest } from "./responses.ts";
import { stepUnder } from "./step.ts";

interface Reference {
  rows: number;
  width: number;
  response: number[];
  right: number[];
  advantages: number[];
  logProb: number[];
  referenceLogProb: number[];
  scores: number[];
  weights: number[];
  sampledLogProb: number[];
  questionTokens: number[];
  advantageCases: { range: RewardRange; options: AdvantageOptions; rewards: number[]; advantages: number[] }[];
  weightCases: { options: TokenWeightOptions; weights: number[] }[];
  policyCases: {
    options: PolicyOptions;
    weighed: boolean;
    loss: number;
    parts: Record<string, number>;
    gradient: number[];
  }[];
  rewardModelCases: { scoreAt: ScoreAt; loss: number; gradient: number[] }[];
  klCases: { kl: KlForm; logProb: number[]; referenceLogProb: number[]; value: number[]; slope: number[] }[];
}

const file = new URL("../fixtures/reward/reference.json", import.meta.url);
const reference = JSON.parse(readFileSync(file, "utf8")) as Reference;
const { rows, width, right } = reference;
const tokens: Tokens = {
  rows,
  width,
  rowIds: Float64Array.from({ length: rows }, (_, b) => b),
  response: Uint8Array.from(reference.response),
  endOfTurn: new Uint8Array(rows * width),
  signals: {},
};
const scores = Float32Array.from(reference.scores);

describe("PyTorch agrees on", () => {
  test.each(reference.advantageCases.map((entry) => [JSON.stringify(entry.options), entry.range, entry] as const))(
    "advantages %s of rewards %s",
    (_name, range, { options, rewards, advantages: expected }) => {
      const groups = rewards.map((_, k) => Math.floor(k / 6));
      expect(farthest(advantages({ groups, rewards, range }, options), expected)).toBeLessThan(1e-6);
    },
  );

  test.each(reference.weightCases.map((entry) => [JSON.stringify(entry.options), entry] as const))(
    "token weights %s",
    (_name, { options, weights }) => {
      expect(farthest(tokenWeights(scores, tokens, right, options), weights)).toBeLessThan(1e-6);
    },
  );

  test.each(reference.policyCases.map((entry) => [JSON.stringify(entry.options), entry] as const))(
    "the policy objective %s",
    (_name, { options, weighed, loss, parts, gradient }) => {
      const aux = {
        right,
        advantages: reference.advantages,
        referenceLogProb: Float32Array.from(reference.referenceLogProb),
        sampledLogProb: Float32Array.from(reference.sampledLogProb),
        questionTokens: reference.questionTokens,
        ...(weighed ? { weights: Float32Array.from(reference.weights) } : {}),
      };
      const logProb = Float32Array.from(reference.logProb);
      const step = stepUnder(policyObjective(options), [{ logProb }, tokens, aux]);
      for (const [name, part] of Object.entries(parts))
        expect(Math.abs((step.parts[name] ?? 0) - part)).toBeLessThan(1e-6);
      expect(Math.abs(step.loss - loss)).toBeLessThan(1e-6);
      expect(farthest(step.gradients[0]!.logProb!, gradient)).toBeLessThan(1e-6);
    },
  );

  test.each(reference.rewardModelCases.map((entry) => [entry.scoreAt, entry] as const))(
    "the reward model's loss with scores at %s",
    (scoreAt, { loss, gradient }) => {
      const step = stepUnder(rewardModelObjective({ scoreAt }), [{ score: scores }, tokens, { right }]);
      expect(Math.abs(step.loss - loss)).toBeLessThan(1e-6);
      expect(farthest(step.gradients[0]!.score!, gradient)).toBeLessThan(1e-6);
    },
  );

  test.each(reference.klCases.map((entry) => [entry.kl, entry] as const))("the KL estimate %s", (kl, expected) => {
    expected.logProb.forEach((logProb, i) => {
      const { value, slope } = klEstimate(kl, logProb, expected.referenceLogProb[i]!);
      expect(Math.abs(value - expected.value[i]!)).toBeLessThan(1e-8 * (1 + Math.abs(expected.value[i]!)));
      expect(Math.abs(slope - expected.slope[i]!)).toBeLessThan(1e-8 * (1 + Math.abs(expected.slope[i]!)));
    });
  });
});
