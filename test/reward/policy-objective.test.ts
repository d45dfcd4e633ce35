import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Tokens } from "../../src/contract/index.ts";
import { policyObjective } from "../../src/reward/index.ts";
import { type PolicyAux } from "../../src/reward/policy-objective.ts";
import { outcomePresets } from "../../src/reward/outcome-presets.ts";
import type { PolicyOptions } from "../../src/reward/policy-options.ts";
import { klEstimate } from "../../src/reward/kl.ts";
import { userError } from "../user-error.ts";
import { farthest, makeResponses, onResponses, responseOf } from "./responses.ts";
import { dLogProbOf, stepUnder } from "./step.ts";

const layout = ["PPrrrr", "Prr", "PrrPrrr", "PPPr", "PP"];
const right = [1, 0, 0, 1, 0];
const advantages = [1.5, -0.5, -1.25, 0.25, -1];

/** A batch whose numbers depend on row and token alone, whatever the padding. */
function batch(rows: readonly number[], { padding = 0, filler = 0 } = {}): [Float32Array, Tokens, PolicyAux] {
  const tokens = makeResponses(
    rows.map((b) => layout[b]!),
    { padding },
  );
  const each = (made: (b: number, k: number) => number) =>
    onResponses(
      tokens,
      rows.map((b) => Array.from({ length: 5 }, (_, k) => made(b, k))),
      filler,
    );
  const logProb = each((b, k) => -0.1 - ((b * 7 + k * 3) % 5) * 0.6);
  const aux = {
    right: rows.map((b) => right[b]!),
    advantages: rows.map((b) => advantages[b]!),
    weights: each((b, k) => ((b * 5 + k * 2) % 4) / 4),
    referenceLogProb: each((b, k) => -0.2 - ((b * 3 + k * 5) % 7) * 0.3),
    sampledLogProb: each((b, k) => -0.15 - ((b * 7 + k * 3) % 5) * 0.55),
    questionTokens: rows.map((b) => [6, 6, 6, 6, 5][b]!), // of rows 0 and 1, of 2 and 3, of another
  };
  return [logProb, tokens, aux];
}

const everyOption: PolicyOptions[] = [
  ...Object.values(outcomePresets).map(({ policy }): PolicyOptions => ({ ...policy, length: 8 })),
  { normalizer: "weights", kl: "squared" },
  { normalizer: "responses", kl: "plain", denominators: "shared" },
  { normalizer: "questions", clip: "sequence", clipLow: 0.02, clipHigh: 0.01 },
];
const named = everyOption.map((options) => [JSON.stringify(options), options] as const);

describe("the policy objective", () => {
  test("clips what a token's ratio would gain, and not what it would lose", () => {
    const tokens = makeResponses(["Prrrr", "Prrrr"]);
    const ratios = [0.5, 0.9, 1.1, 1.5];
    const sampledLogProb = onResponses(tokens, [ratios.map(() => -2), ratios.map(() => -2)]);
    const logProb = onResponses(
      tokens,
      [0, 1].map(() => ratios.map((ratio) => -2 + Math.log(ratio))),
    );
    const options = { positives: "policy-gradient", positiveScale: "advantage", klCoefficient: 0 } as const;
    const aux = { right: [1, 0], advantages: [2, -2], sampledLogProb };
    const run = (clip: PolicyOptions) => {
      const { terms, metrics } = policyObjective({ ...options, ...clip }).evaluate({ logProb }, tokens, aux);
      const slopes = [terms["positive"], terms["negative"]].map((term, b) => responseOf(tokens, dLogProbOf(term), b));
      return { slopes: slopes.map((row) => row.map((slope) => slope + 0)), metrics };
    };
    const near = (row: readonly number[]) => row.map((value): unknown => expect.closeTo(value, 5));
    // better than the mean: raised up to 1.28; worse: lowered down to 0.8; c+ = 1, c- = 1/2
    const { slopes, metrics } = run({ clip: "token", clipLow: 0.2, clipHigh: 0.28 });
    expect(slopes).toEqual([near([-1, -1.8, -2.2, 0]), near([0, 0.9, 1.1, 1.5])]);
    expect(metrics["clippedTokens"]).toBe(2);
    // the geometric mean of all four, (.5 x .9 x 1.1 x 1.5) ^ 1/4 = .92827
    const mean = 0.92827;
    expect(run({ clip: "sequence", clipLow: 0.1 }).slopes).toEqual([
      near(ratios.map(() => -2 * mean)),
      near(ratios.map(() => mean)),
    ]);
    expect(run({ clip: "sequence", clipLow: 0.05 }).slopes[1]).toEqual([0, 0, 0, 0]);
    expect(run({}).metrics).not.toHaveProperty("clippedTokens");
  });

  test("takes an advantage of each token, of either sign, in place of its response's", () => {
    const [logProb, tokens, whole] = batch([0, 1]);
    const options = { positives: "policy-gradient", positiveScale: "advantage", klCoefficient: 0 } as const;
    const aux = { ...whole, weights: undefined };
    const run = (own: readonly (readonly number[])[], clip: PolicyOptions = {}) =>
      policyObjective({ ...options, ...clip }).evaluate({ logProb }, tokens, {
        ...aux,
        tokenAdvantages: onResponses(tokens, own),
      }).terms;
    const alike = run([Array.from({ length: 4 }, () => 1.5), [-0.5, -0.5]]);
    expect(alike).toEqual(policyObjective(options).evaluate({ logProb }, tokens, aux).terms);
    const signed = run([
      [2, 0, -1, 0.5],
      [1, -3],
    ]);
    // -c+ A_t and -c- A_t, with c+ = 1, c- = 1/2
    expect(responseOf(tokens, dLogProbOf(signed["positive"]), 0).map((g) => g + 0)).toEqual([-2, 0, 1, -0.5]);
    expect(responseOf(tokens, dLogProbOf(signed["negative"]), 1)).toEqual([-0.5, 1.5]);
    expect(signed["positive"]!.sum).toBeCloseTo(-1.5, 6);
    // ratios are e^.05 = 1.051 of the first token: a gain is cut off there, a loss is not
    const cut = { clip: "token", clipLow: 0.01, clipHigh: 0.01 } as const;
    const slope = (first: number) =>
      dLogProbOf(
        run(
          [
            [first, 0, 0, 0],
            [0, 0],
          ],
          cut,
        )["positive"],
      )[2]! + 0;
    expect([slope(1), slope(-1)]).toEqual([0, expect.closeTo(Math.exp(0.05), 5)]);
    const bad = {
      ...aux,
      tokenAdvantages: onResponses(tokens, [
        [1, NaN, 0, 0],
        [0, 0],
      ]),
    };
    expect(() => policyObjective(options).evaluate({ logProb }, tokens, bad)).toThrow(
      userError("not-finite", "token 3: The advantage is NaN"),
    );
  });

  test("asks for what clip and the normalizers read", () => {
    const [logProb, tokens, whole] = batch([0, 1]);
    const aux = { ...whole, sampledLogProb: undefined, questionTokens: undefined };
    const refused = (options: PolicyOptions) => () => policyObjective(options).evaluate({ logProb }, tokens, aux);
    expect(refused({ clip: "token" })).toThrow(userError("missing-signal", "sampledLogProb"));
    expect(refused({ normalizer: "questions" })).toThrow(userError("missing-signal", "questionTokens"));
    expect(refused({ normalizer: "constant" })).toThrow(userError("missing-option", "length"));
    expect(() => policyObjective({ clipLow: 0 })).toThrow(userError("invalid-option", "clipLow"));
  });

  test("divides right responses by their tokens, wrong ones by theirs, KL by both", () => {
    const [logProb, tokens, aux] = batch([0, 1, 2, 3]);
    const { terms, metrics } = policyObjective().evaluate({ logProb }, tokens, aux);
    expect([terms["positive"]!.mass, terms["negative"]!.mass, terms["kl"]!.mass]).toEqual([5, 7, 12]);
    expect(metrics).toMatchObject({ positiveTokens: 5, negativeTokens: 7 });
  });

  test("makes right answers likelier, wrong ones unlikelier, in proportion to their weights", () => {
    const [logProb, tokens, aux] = batch([0, 2]);
    const { terms } = policyObjective({ klCoefficient: 0 }).evaluate({ logProb }, tokens, aux);
    const own = (row: number) => responseOf(tokens, aux.weights!, row);
    // -c+ w, with a(y) = 1; -c- A w = 0.5 x 1.25 w
    expect(responseOf(tokens, dLogProbOf(terms["positive"]), 0)).toEqual(
      own(0).map((w): unknown => expect.closeTo(-w, 6)),
    );
    expect(responseOf(tokens, dLogProbOf(terms["negative"]), 1)).toEqual(
      own(1).map((w): unknown => expect.closeTo(0.625 * w, 6)),
    );
    expect(Object.keys(terms)).toEqual(["positive", "negative"]);
  });

  test("has the policy gradient's value on wrong responses: -c- A sum of w, whatever their probability", () => {
    const [logProb, tokens, aux] = batch([1]);
    const sum = (shift: number) =>
      policyObjective({ klCoefficient: 0 }).evaluate({ logProb: logProb.map((x) => x - shift) }, tokens, aux).terms[
        "negative"
      ]!.sum;
    const mass = responseOf(tokens, aux.weights!, 0).reduce((a, b) => a + b, 0);
    expect(sum(0)).toBeCloseTo(0.25 * mass, 9);
    expect(sum(3)).toBe(sum(0));
  });

  test("gives cloning and policy gradient one gradient at equal factors, and different values", () => {
    const [logProb, tokens, aux] = batch([0, 3]);
    const make = (positives: "cloning" | "policy-gradient") =>
      policyObjective({ positives, positiveScale: "advantage" }).evaluate({ logProb }, tokens, aux).terms["positive"]!;
    expect(make("cloning").dLogProb).toEqual(make("policy-gradient").dLogProb);
    expect(Math.abs(make("cloning").sum - make("policy-gradient").sum)).toBeGreaterThan(0.1);
  });

  test("feels the KL term alone while all weights are 0; under normalizer weights nothing is divided by 0", () => {
    const [logProb, tokens, aux] = batch([0, 1, 2, 3]);
    const weights = new Float32Array(logProb.length);
    for (const normalizer of ["tokens", "weights"] as const) {
      const objective = policyObjective({ normalizer });
      const { terms, metrics } = objective.evaluate({ logProb }, tokens, { ...aux, weights });
      const step = stepUnder(objective, [{ logProb }, tokens, { ...aux, weights }]);
      expect(step.parts).toMatchObject({ positive: 0, negative: 0 });
      expect(step.loss).toBe(step.parts["kl"]);
      expect(step.gradients[0]).toEqual({ logProb: dLogProbOf(terms["kl"]).map((g) => g / 12) });
      expect(metrics).toMatchObject({ weightSum: 0, weightsAboveZero: 0 });
    }
  });

  test("has no KL value and no KL gradient at the reference: beta is inert", () => {
    const [logProb, tokens, aux] = batch([0, 1]);
    for (const kl of ["unbiased", "squared"] as const) {
      const { terms } = policyObjective({ kl }).evaluate({ logProb }, tokens, { ...aux, referenceLogProb: logProb });
      expect(terms["kl"]!.sum).toBe(0);
      expect(dLogProbOf(terms["kl"]).every((g) => g === 0)).toBe(true);
    }
  });

  test.each(named)("of %s does not see padding, prompts or a response's batch", (_name, options) => {
    const objective = policyObjective(options);
    const [logProb, tokens, aux] = batch([0, 1, 2, 3, 4]);
    const tight = objective.evaluate({ logProb }, tokens, aux);
    const [paddedLogProb, paddedTokens, paddedAux] = batch([0, 1, 2, 3, 4], { padding: 6, filler: NaN });
    const padded = objective.evaluate({ logProb: paddedLogProb }, paddedTokens, paddedAux);
    expect(padded.metrics).toEqual(tight.metrics);
    for (const [name, term] of Object.entries(tight.terms)) {
      const other = padded.terms[name]!;
      expect([other.sum, other.mass]).toEqual([term.sum, term.mass]);
      for (let b = 0; b < 5; b++)
        expect(responseOf(paddedTokens, dLogProbOf(other), b)).toEqual(responseOf(tokens, dLogProbOf(term), b));
      dLogProbOf(other).forEach((value, i) => {
        if (!paddedTokens.response[i]) expect(value).toBe(0);
      });
    }
  });

  test.each(named)("of %s is the same in one batch and in any micro-batches", (_name, options) => {
    const objective = policyObjective(options);
    const [logProb, tokens, aux] = batch([0, 1, 2, 3, 4]);
    const whole = stepUnder(objective, [{ logProb }, tokens, aux]);
    fc.assert(
      fc.property(
        fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }),
        fc.integer({ min: 1, max: 4 }),
        (order, cut) => {
          const parts = [order.slice(0, cut), order.slice(cut)].map((rows) => ({ rows, numbers: batch(rows) }));
          const step = stepUnder(
            objective,
            ...parts.map(({ numbers: [own, ...of] }) => [{ logProb: own }, ...of] as const),
          );
          expect(step.loss).toBeCloseTo(whole.loss, 10);
          parts.forEach(({ rows, numbers: [, part] }, m) =>
            rows.forEach((row, b) => {
              const own = responseOf(part, step.gradients[m]!.logProb!, b);
              expect(farthest(own, responseOf(tokens, whole.gradients[0]!.logProb!, row))).toBeLessThan(1e-7);
            }),
          );
        },
      ),
      { numRuns: 20 },
    );
  });

  test.each(named)("of %s knows its denominators before any log-probability", (_name, options) => {
    const [logProb, tokens, aux] = batch([0, 1, 2, 3, 4]);
    const objective = policyObjective(options);
    const masses = objective.masses(tokens, aux);
    const { terms } = objective.evaluate({ logProb }, tokens, aux);
    for (const [name, { mass }] of Object.entries(terms)) expect(masses[name]).toBe(mass);
  });

  test("agrees with finite differences where the value is that of the gradient", () => {
    const [logProb, tokens, aux] = batch([0, 3]);
    const objective = policyObjective({ klCoefficient: 0.7, kl: "unbiased" });
    const loss = (x: Float32Array) => stepUnder(objective, [{ logProb: x }, tokens, aux]);
    const { gradients } = loss(logProb);
    for (let i = 0; i < logProb.length; i++) {
      if (!tokens.response[i]) continue;
      const moved = (h: number) => loss(logProb.map((x, j) => (j === i ? x + h : x))).loss;
      expect((moved(1 / 256) - moved(-1 / 256)) * 128).toBeCloseTo(gradients[0]!.logProb![i]!, 4);
    }
  });

  test.each(named)("of %s stays finite at extreme log-probabilities", (_name, options) => {
    const [logProb, tokens, aux] = batch([0, 1, 2, 3]);
    const lost = logProb.map(() => -1e30);
    const zero = logProb.map(() => 0);
    for (const [own, referenceLogProb] of [
      [lost, zero],
      [zero, lost],
      [lost, lost],
    ] as const) {
      const step = stepUnder(policyObjective(options), [{ logProb: own }, tokens, { ...aux, referenceLogProb }]);
      expect(Number.isFinite(step.loss)).toBe(true);
      expect(step.gradients[0]!.logProb!.every(Number.isFinite)).toBe(true);
    }
  });

  test("refuses what is not finite, naming row and token", () => {
    const [logProb, tokens, aux] = batch([0, 1]);
    const objective = policyObjective();
    const at = (array: Float32Array, value: number) => array.map((x, i) => (i === 3 ? value : x));
    expect(() => objective.evaluate({ logProb: at(logProb, -Infinity) }, tokens, aux)).toThrow(
      userError("not-finite", "row 40, token 3"),
    );
    expect(() => objective.evaluate({ logProb }, tokens, { ...aux, referenceLogProb: at(logProb, NaN) })).toThrow(
      userError("not-finite", /row 40, token 3: The reference/),
    );
    expect(() =>
      objective.evaluate({ logProb }, tokens, {
        ...aux,
        weights: at(
          logProb.map(() => 1),
          NaN,
        ),
      }),
    ).toThrow(userError("invalid-weight", "row 40, token 3"));
    expect(() => objective.evaluate({ logProb }, tokens, { ...aux, weights: logProb })).toThrow(
      userError("invalid-weight", "row 40, token 2"),
    );
    expect(() => objective.evaluate({ logProb }, tokens, { ...aux, advantages: [1, NaN] })).toThrow(
      userError("not-finite", "row 41"),
    );
  });

  test("refuses arrays of the wrong length, a missing reference and impossible options", () => {
    const [logProb, tokens, { right, advantages }] = batch([0, 1]);
    const aux = { right, advantages };
    expect(() => policyObjective().evaluate({ logProb }, tokens, aux)).toThrow(
      userError("missing-signal", "referenceLogProb"),
    );
    expect(() => policyObjective({ klCoefficient: 0 }).evaluate({ logProb }, tokens, aux)).not.toThrow();
    expect(() => policyObjective().evaluate({ logProb: logProb.slice(1) }, tokens, aux)).toThrow(
      userError("wrong-shape", "logProb has 11"),
    );
    expect(() => policyObjective({ klCoefficient: -1 })).toThrow(userError("invalid-option", "klCoefficient"));
    expect(() => policyObjective({ kl: "kl" as "plain" })).toThrow(
      userError("invalid-option", /kl .*unbiased or squared or plain/s),
    );
    expect(() => klEstimate("reversed" as "plain", 0, 0)).toThrow(userError("invalid-option", "reversed"));
  });
});

describe("KL estimates", () => {
  test("unbiased goes on straight above d = 20, without a jump in value or slope", () => {
    const at = (d: number) => klEstimate("unbiased", -d, 0);
    expect(at(20 + 1e-9).value / at(20).value).toBeCloseTo(1, 6);
    expect(at(400).slope).toBe(at(20).slope);
    expect(at(400).value).toBeCloseTo(at(20).value + 380 * Math.expm1(20), -3);
  });
  test("plain lowers the tokens that were sampled: its slope in the log-probability is 1", () => {
    expect(klEstimate("plain", -2, -1)).toEqual({ value: -1, slope: 1 });
  });
});
