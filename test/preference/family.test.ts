import { describe, expect, test } from "@jest/globals";
import { type WeightedDpo, criticalTokenDpo, dpo, weightedDpo } from "../../src/preference/index.ts";
import { columnDpo } from "../../src/preference/forms/columns.ts";
import { ldDpo } from "../../src/preference/forms/ld-dpo.ts";
import { rpo } from "../../src/preference/forms/rpo.ts";
import { tdpo } from "../../src/preference/forms/tdpo.ts";
import { temporalDecayDpo } from "../../src/preference/forms/temporal-decay.ts";
import { responseNll } from "../../src/preference/response-nll.ts";
import { type Made, makePairs } from "./batches.ts";

const layout = ["PPrrrre", "PPrre", "PPPe", "PPPrrrrre", "PrrePPrre", "PrrePrrrre"];
const lossOf = ({ terms }: ReturnType<WeightedDpo["evaluate"]>) =>
  Object.values(terms).reduce((loss, { sum, mass }) => loss + sum / mass, 0);
const run = (objective: WeightedDpo, { tokens, batch, ...signals }: Made) => objective.evaluate(signals, tokens, batch);

test("the released program's mean announces its masses, prompt and padding included", () => {
  const objective = criticalTokenDpo({ preset: "released" });
  for (const padding of [0, 5]) {
    const made = makePairs(layout, { padding });
    const { mass } = run(objective, made).terms.preference;
    expect(objective.masses(made.tokens, made.batch)).toEqual({ preference: mass });
  }
});

test("plain fine-tuning gives the summed loss of the response tokens and its gradient", () => {
  const { tokens, logProb } = makePairs(["PPre", "rPre"], { padding: 1 });
  const { nll } = responseNll.evaluate({ logProb }, tokens).terms;
  // the first token of the second row has nothing before it
  const places = [2, 3, 7, 8];
  expect(nll.sum).toBeCloseTo(-places.reduce((sum, i) => sum + logProb[i]!, 0), 5);
  expect([...nll.dLogProb]).toEqual(Array.from(logProb, (_, i) => (places.includes(i) ? -1 : 0)));
  expect([nll.mass, responseNll.masses(tokens)]).toEqual([4, { nll: 4 }]);
});

describe("the family", () => {
  const made = makePairs(layout);
  const ones = { ...made, batch: { ...made.batch, weights: made.logProb.map(() => 1) } };

  test("with all weights 1 is DPO", () => {
    const expected = run(dpo(), made);
    for (const same of [
      columnDpo(),
      columnDpo({ meanOne: true }),
      ldDpo({ beyond: 1 }),
      temporalDecayDpo({ decay: 1 }),
      rpo({ nll: 0 }),
    ])
      expect(run(same, ones)).toEqual(expected);
    // s = 0 everywhere: every rejected token is critical
    const critical = { ...made, batch: { ...made.batch, logEstimate: made.logProb.map(() => -Infinity) } };
    expect(run(criticalTokenDpo({ dpoBeta: 0.1 }), critical)).toEqual(expected);
  });

  test("is not DPO where the contrasted models agree: s is then the token's probability", () => {
    const agreeing = { ...made, batch: { ...made.batch, logEstimate: made.logProb } };
    expect(lossOf(run(criticalTokenDpo({ dpoBeta: 0.1 }), agreeing))).not.toBeCloseTo(lossOf(run(dpo(), made)), 3);
  });

  test("changes the sign of the margin when the sides are swapped", () => {
    const { chosen, rejected } = made.batch.pairs;
    const swapped = { ...made, batch: { ...made.batch, pairs: { chosen: rejected, rejected: chosen } } };
    for (const form of [dpo(), ldDpo(), temporalDecayDpo(), columnDpo(), tdpo({ version: 1 })]) {
      const [one, other] = [run(form, made), run(form, swapped)];
      expect(other.metrics.weightedMargin).toBeCloseTo(-one.metrics.weightedMargin, 12);
      expect(other.metrics.rewardMargin).toBeCloseTo(-one.metrics.rewardMargin, 12);
      expect(other.metrics.accuracy).toBeCloseTo(1 - one.metrics.accuracy, 12);
    }
  });

  test("reports rewards of the worked example", () => {
    // chosen log-ratios 1 and 2, rejected -1: β .5 gives 1.5 and -.5, loss log(1 + e^-2)
    const small = makePairs(["Pre", "Pe "]);
    const logProb = Float32Array.of(0, -1, -1, 0, -2, 0);
    const reference = Float32Array.of(0, -2, -3, 0, -1, 0);
    const { terms, metrics } = dpo({ dpoBeta: 0.5 }).evaluate({ logProb }, small.tokens, {
      pairs: small.batch.pairs,
      reference,
    });
    expect(metrics).toMatchObject({ chosenReward: 1.5, rejectedReward: -0.5, rewardMargin: 2, accuracy: 1 });
    expect(terms.preference.sum).toBeCloseTo(Math.log1p(Math.exp(-2)), 12);
  });

  test("adds the gradients of a row that serves in several pairs", () => {
    const pairs = (chosen: number[], rejected: number[]) => ({
      ...made,
      batch: { ...made.batch, pairs: { chosen: Int32Array.from(chosen), rejected: Int32Array.from(rejected) } },
    });
    const both = run(dpo(), pairs([0, 0], [1, 3])).terms.preference.dLogProb;
    const [a, b] = [[1], [3]].map((l) => run(dpo(), pairs([0], l)).terms.preference.dLogProb);
    both.forEach((d, i) => expect(d).toBeCloseTo(a![i]! + b![i]!, 6));
  });

  test("multiplies weightings: decay on both sides, critical tokens on one", () => {
    const by = () => Float64Array.of(2, 2, 2, 2, 2, 2, 2, 2);
    const twice = run(weightedDpo({ weights: [{ by }, { by, sides: "chosen" }] }), made).metrics;
    expect([twice.chosenWeight, twice.rejectedWeight]).toEqual([4, 2]);
  });

  test("keeps positionMean padded near log 2 as padding grows", () => {
    const loss = (padding: number) =>
      lossOf(run(criticalTokenDpo({ preset: "released" }), makePairs(layout, { padding })));
    expect(Math.abs(loss(2000) - Math.LN2)).toBeLessThan(1e-3);
    expect(Math.abs(loss(0) - Math.LN2)).toBeGreaterThan(1e-3);
  });
});
