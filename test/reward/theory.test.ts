import { describe, expect, test } from "@jest/globals";
import type { Tokens } from "../../src/contract/index.ts";
import { policyObjective } from "../../src/reward/index.ts";
import { outcomePresets } from "../../src/reward/outcome-presets.ts";
import { klEstimate } from "../../src/reward/kl.ts";
import type { KlForm } from "../../src/reward/kl.ts";
import { outcomeNotes } from "../../src/reward/outcome-presets.ts";
import { makeResponses } from "./responses.ts";
import { stepUnder } from "./step.ts";

const softmax = (logits: readonly number[]) => {
  const most = Math.max(...logits);
  const exp = logits.map((x) => Math.exp(x - most));
  const sum = exp.reduce((a, b) => a + b, 0);
  return exp.map((x) => x / sum);
};
const divergence = (p: readonly number[], q: readonly number[]) =>
  p.reduce((sum, x, i) => sum + (x > 0 ? x * Math.log(x / q[i]!) : 0), 0);

const logits = [0.3, -1.2, 0.8, 0, -0.4];
const policy = softmax(logits);
const outcome = [1, 0, 0, 1, 0];
const passRate = policy.reduce((sum, p, i) => sum + p * outcome[i]!, 0);

/** One row of one token per response, with the number of samples as weight. */
const rowsOf = (count: number): Tokens => makeResponses(Array.from({ length: count }, () => "Pr"));
const spread = (values: readonly number[]) => Float32Array.from(values.flatMap((x) => [0, x]));

test("cloning the right samples converges to the policy given that the answer is right", () => {
  const tokens = rowsOf(5);
  // the expectation over samples: each response weighed by its probability
  const weights = spread(policy.map((p, i) => p * outcome[i]!));
  const objective = policyObjective({ klCoefficient: 0, normalizer: "weights" });
  const now = [...logits];
  for (let step = 0; step < 4000; step++) {
    const q = softmax(now);
    const aux = { right: outcome, advantages: outcome, weights };
    const [gradient] = stepUnder(objective, [{ logProb: spread(q.map(Math.log)) }, tokens, aux]).gradients;
    const each = q.map((_, i) => gradient!.logProb![2 * i + 1]!);
    const total = each.reduce((a, b) => a + b, 0);
    each.forEach((g, i) => (now[i]! -= 2 * (g - q[i]! * total)));
  }
  softmax(now).forEach((q, i) => expect(q).toBeCloseTo(outcome[i] ? policy[i]! / passRate : 0, 3));
});

describe("as a loss, the expected gradient of", () => {
  const reference = softmax([1, 0.2, -0.7, 0.1, 0.4]);
  /** On the logits, samples drawn from the policy: sum over tokens of p slope dlogp. */
  const expected = (form: KlForm) => {
    const slopes = policy.map((p, i) => p * klEstimate(form, Math.log(p), Math.log(reference[i]!)).slope);
    const total = slopes.reduce((a, b) => a + b, 0);
    return slopes.map((s, i) => s - policy[i]! * total);
  };
  const numeric = (loss: (p: readonly number[]) => number) =>
    logits.map((_, i) => {
      const moved = (h: number) => loss(softmax(logits.map((x, j) => (i === j ? x + h : x))));
      return (moved(1e-5) - moved(-1e-5)) / 2e-5;
    });

  test.each<[KlForm, string, (p: readonly number[]) => number]>([
    ["unbiased", "KL(reference || policy)", (p) => divergence(reference, p)],
    ["squared", "KL(policy || reference)", (p) => divergence(p, reference)],
    ["plain", "nothing", () => 0],
  ])("%s is that of %s", (form, _name, loss) => {
    const target = numeric(loss);
    expected(form).forEach((g, i) => expect(g).toBeCloseTo(target[i]!, 8));
  });

  test.each<KlForm>(["unbiased", "plain"])("while the value of %s is KL(policy || reference)", (form) => {
    const value = policy.reduce(
      (sum, p, i) => sum + p * klEstimate(form, Math.log(p), Math.log(reference[i]!)).value,
      0,
    );
    expect(value).toBeCloseTo(divergence(policy, reference), 12);
  });
});

describe("notes on settings", () => {
  const { paper, released } = outcomePresets;
  test("say that beta is inert with the sampling policy as reference and one step", () => {
    expect(outcomeNotes(paper)).toEqual([expect.stringContaining("klCoefficient does nothing")]);
    expect(outcomeNotes(paper, 2)).toEqual([]);
    expect(outcomeNotes({ ...paper, policy: { klCoefficient: 0 } })).toEqual([]);
    expect(outcomeNotes(released)).toEqual([]);
  });
  test("warn of topK at the zero start", () => {
    const weights = { topK: { ratio: 0.25 } };
    expect(outcomeNotes({ ...released, weights })).toEqual([expect.stringContaining("Freeze the policy")]);
  });
  test("warn of plain KL", () => {
    expect(outcomeNotes({ ...released, policy: { kl: "plain" } })).toEqual([expect.stringContaining("noise")]);
  });
});
