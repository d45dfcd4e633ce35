import { describe, expect, test } from "@jest/globals";
import { policyObjective, rewardModelObjective } from "../../src/reward/index.ts";
import { userError } from "../user-error.ts";
import { makeResponses } from "./responses.ts";

// a right answer of three tokens and a wrong one of two
const tokens = makeResponses(["Prrr", "Prr"]);
const logProb = Float32Array.of(0, -1, -2, -4, 0, -1, -3, 0);
const own = Float32Array.of(0, 1, 2, 4, 0, 1, 3, 0);
const aux = { right: [1, 0], advantages: [1, -0.5], referenceLogProb: logProb.map((value) => value - 1) };
const weighed = (...dataWeights: number[]) => ({ ...tokens, dataWeights: Float32Array.from(dataWeights) });

describe("weights of the data", () => {
  test("multiply a policy's token weights, in sum, gradient and the sum of weights", () => {
    const given = weighed(0, 0.5, 1, 2, 0, 3, 1, 0);
    for (const normalizer of ["tokens", "weights"] as const) {
      const objective = policyObjective({ negativeCoefficient: 0.5, klCoefficient: 0, normalizer });
      const { terms } = objective.evaluate({ logProb }, given, { ...aux, weights: own });
      // 0.5 * 1 * 1 + 1 * 2 * 2 + 2 * 4 * 4, and -0.5 * 0.5 * (3 * 1 + 1 * 3) with the advantage's sign
      expect(terms.positive!.sum).toBeCloseTo(36.5, 6);
      expect([...terms.positive!.dLogProb!]).toEqual([0, -0.5, -2, -8, 0, 0, 0, 0]);
      expect([...terms.negative!.dLogProb!]).toEqual([0, 0, 0, 0, 0, 0.75, 0.75, 0]);
      const masses = normalizer === "tokens" ? { positive: 3, negative: 2 } : { positive: 10.5, negative: 6 };
      expect(objective.masses(given, { ...aux, weights: own })).toMatchObject(masses);
    }
  });

  test("alone are the token weights", () => {
    const given = weighed(0, 0.5, 1, 2, 0, 3, 1, 0);
    const objective = policyObjective({ klCoefficient: 0, normalizer: "weights" });
    const { dataWeights, ...plain } = given;
    expect(objective.evaluate({ logProb }, given, aux)).toEqual(
      objective.evaluate({ logProb }, plain, { ...aux, weights: dataWeights }),
    );
  });

  test("of 0 take a token out of its response", () => {
    const zeros = weighed(0, 1, 0, 1, 0, 1, 1, 0);
    const response = tokens.response.map((mark, i) => (i === 2 ? 0 : mark));
    for (const normalizer of ["tokens", "weights", "responses"] as const) {
      const objective = policyObjective({ normalizer });
      const without = objective.evaluate({ logProb }, { ...tokens, response }, aux);
      expect(objective.evaluate({ logProb }, zeros, aux)).toEqual(without);
    }
    const outcome = rewardModelObjective();
    const score = Float32Array.of(0, 1, 5, 2, 0, 1, 1, 0);
    expect(outcome.evaluate({ score }, zeros, aux)).toEqual(outcome.evaluate({ score }, { ...tokens, response }, aux));
  });

  test("below 0 are refused by a policy, and any but 0 and 1 by a reward model", () => {
    expect(() => policyObjective().evaluate({ logProb }, weighed(0, 1, -1, 1, 0, 1, 1, 0), aux)).toThrow(
      userError("invalid-weight", "row 40, token 2"),
    );
    const objective = rewardModelObjective();
    expect(() => objective.evaluate({ score: logProb }, weighed(0, 1, 1, 1, 0, 1, 0.5, 0), aux)).toThrow(
      userError("invalid-weight", "row 41, token 2"),
    );
    expect(() => objective.evaluate({ score: logProb }, weighed(0, 1, 1, 1, 0, 1, 1, 0), aux)).not.toThrow();
  });
});
