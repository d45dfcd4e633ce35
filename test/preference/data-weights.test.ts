import { describe, expect, test } from "@jest/globals";
import { createFrom, namesOf } from "../../src/config/catalogue.ts";
import { preferenceForms, type PreferenceObjective } from "../../src/preference/index.ts";
import type { PreferenceTerm } from "../../src/preference/batch.ts";
import { responseNll } from "../../src/preference/response-nll.ts";
import { type Made, makePairs } from "./batches.ts";

const layout = ["PPrrrre", "PPrre", "PPPrrrrre", "PrrePPrre"];
const variants: [string, object][] = [
  ["columns", { meanOne: true }],
  ["columns", { normalizer: "weights" }],
  ["tdpo", { version: 1 }],
  ["cdpo", { sides: "both", keep: { ratio: 0.5 } }],
  ["cdpo", { aggregation: "position" }],
];
const forms = [...namesOf(preferenceForms).map((name): [string, object] => [name, {}]), ...variants].map(
  ([name, options]) => ({ name, options, objective: createFrom(preferenceForms, { method: name, ...options }) }),
);

function run(objective: PreferenceObjective, { tokens, batch, logProb, forwardKl }: Made) {
  const { terms, metrics } = objective.evaluate({ logProb, forwardKl }, tokens, batch);
  return { terms: terms as Readonly<Record<string, PreferenceTerm>>, metrics };
}

/** The same pairs where the data give weights. */
function weighed(made: Made, weightOf: (i: number) => number): Made {
  const dataWeights = Float32Array.from(made.tokens.response, (mark, i) => mark * weightOf(i));
  return { ...made, tokens: { ...made.tokens, dataWeights } };
}

const varied = (i: number): number => [1, 0.5, 2, 0.25][i % 4]!;

describe.each(forms)("$name $options", ({ objective }) => {
  const made = makePairs(layout);

  test("is the same where every weight of the data is 1", () => {
    expect(
      run(
        objective,
        weighed(made, () => 1),
      ),
    ).toEqual(run(objective, made));
  });

  test("knows no token of weight 0", () => {
    const isLeftOut = (i: number): boolean => i % 3 === 1;
    const response = made.tokens.response.map((mark, i) => (isLeftOut(i) ? 0 : mark));
    const { terms, metrics } = run(objective, { ...made, tokens: { ...made.tokens, response } });
    const zeros = weighed(made, (i) => Number(!isLeftOut(i)));
    expect(run(objective, zeros)).toEqual({ terms, metrics });
    expect(objective.masses(zeros.tokens, zeros.batch)).toEqual(
      Object.fromEntries(Object.entries(terms).map(([name, { mass }]) => [name, mass])),
    );
  });

  test("multiplies a token's terms: the gradient on a log-probability is the slope of the sum", () => {
    const given = weighed(made, varied);
    const { terms } = run(objective, given);
    const plain = run(objective, made);
    expect(run(objective, given).terms).not.toEqual(plain.terms);
    for (const name of Object.keys(terms)) {
      // the weights of some forms hang on the log-probabilities, and are taken as they are
      if (objective.reads.length === 0 || detached(objective)) continue;
      for (const i of [2, 4, 19]) {
        const step = 0.01;
        const moved = [step, -step].map((by) => {
          const logProb = made.logProb.map((value, place) => (place === i ? value + by : value));
          return run(objective, { ...given, logProb }).terms[name]!.sum;
        });
        expect(terms[name]!.dLogProb[i]!).toBeCloseTo((moved[0]! - moved[1]!) / (2 * step), 2);
      }
    }
  });
});

/** Forms that weigh tokens by the log-probabilities of the model itself. */
function detached(objective: PreferenceObjective): boolean {
  return objective === forms.find(({ name }) => name === "confpo")!.objective;
}

describe("by hand", () => {
  // one pair: chosen with the log-ratios 1 and -2, rejected with 3
  const tokens = {
    ...{ rows: 2, width: 3, rowIds: Float64Array.of(0, 1), endOfTurn: new Uint8Array(6) },
    response: Uint8Array.of(0, 1, 1, 0, 1, 0),
    dataWeights: Float32Array.of(0, 0.5, -1, 0, 2, 0),
  };
  const logProb = Float32Array.of(0, -1, -4, 0, -1, 0);
  const reference = Float32Array.of(0, -2, -2, 0, -4, 0);
  const pairs = { chosen: Int32Array.of(0), rejected: Int32Array.of(1) };

  test("DPO adds weighted log-ratios", () => {
    const objective = createFrom(preferenceForms, { method: "dpo", dpoBeta: 1 });
    const { terms, metrics } = objective.evaluate({ logProb }, tokens, { pairs, reference });
    // 0.5 * 1 + (-1) * (-2) - 2 * 3
    const margin = -3.5;
    expect(metrics.weightedMargin).toBeCloseTo(margin, 6);
    const slope = -1 / (1 + Math.exp(margin));
    const expected = [0, 0.5 * slope, -slope, 0, -2 * slope, 0].map((value): unknown => expect.closeTo(value, 5));
    expect([...terms.preference!.dLogProb!]).toEqual(expected);
  });

  test("RPO weighs the chosen answer's own loss, and divides it by its tokens", () => {
    const objective = createFrom(preferenceForms, { method: "rpo", nll: 1 });
    const { nll } = objective.evaluate({ logProb }, tokens, { pairs, reference }).terms;
    // (0.5 * 1 + (-1) * 4) / 2
    expect(nll!.sum).toBeCloseTo(-1.75, 6);
    expect([...nll!.dLogProb!]).toEqual([0, -0.25, 0.5, 0, 0, 0]);
  });

  test("TDPO weighs the divergences of both answers", () => {
    const objective = createFrom(preferenceForms, { method: "tdpo", dpoBeta: 1, version: 2, alpha: 0.5 });
    const forwardKl = Float32Array.of(0, 1, 3, 0, 2, 0);
    const { metrics } = objective.evaluate({ logProb, forwardKl }, tokens, { pairs, reference });
    // margin - alpha (2 * 2 - (0.5 * 1 + (-1) * 3))
    expect(metrics.weightedMargin).toBeCloseTo(-3.5 - 0.5 * 6.5, 5);
  });

  test("fine-tuning counts tokens with a weight, a prompt's too where it has one", () => {
    const dataWeights = Float32Array.of(9, 0.5, -1, 0, 2, 0.25);
    const { nll } = responseNll.evaluate({ logProb: logProb.map((x) => x || -8) }, { ...tokens, dataWeights }).terms;
    // 0.5 * 1 + (-1) * 4 + 2 * 1 + 0.25 * 8; the first token of a row never trains
    expect([nll.sum, nll.mass]).toEqual([0.5, 4]);
    expect([...nll.dLogProb]).toEqual([0, -0.5, 1, 0, -2, -0.25]);
    expect(responseNll.masses({ ...tokens, dataWeights })).toEqual({ nll: 4 });
  });
});
