import { describe, expect, test } from "@jest/globals";
import { deft, eaft, focal, iwSft, createFrom, rules } from "../../src/selection/index.ts";
import { userError } from "../user-error.ts";
import { context, tokensOf } from "./tokens.ts";

const ln = Math.log;
const close = (weights: Float32Array, expected: number[]) =>
  expected.forEach((weight, i) => expect(weights[i]).toBeCloseTo(weight, 6));

describe("focal", () => {
  // p = 1, 1/2, 1/4 inside the response
  const row = tokensOf([[0, 1, 1, 1]], { nll: [9, 0, ln(2), ln(4)] });

  test("weighs each token by (1 - p)^2", () => {
    close(focal().weigh(row, context()), [0, 0, 1 / 4, 9 / 16]);
  });

  test("is full training at kappa 0, for a token of probability 1 too", () => {
    expect([...focal({ kappa: 0 }).weigh(row, context())]).toEqual([0, 1, 1, 1]);
  });

  test("takes a loss that rounding left below 0 for 0", () => {
    expect([...focal({ kappa: 0.5 }).weigh(tokensOf([[1]], { nll: [-1e-7] }), context())]).toEqual([0]);
  });

  test("refuses a kappa below 0", () => {
    expect(() => focal({ kappa: -1 })).toThrow(userError("invalid-option", "focal: kappa"));
    expect(() => createFrom(rules, { method: "focal", kappa: -1 })).toThrow(
      userError("invalid-option", "selection.kappa"),
    );
  });
});

describe("eaft", () => {
  // entropies of 1, 20 and sqrt(20) equally likely tokens
  const row = tokensOf([[0, 1, 1, 1]], { entropyTop20: [2, 0, ln(20), ln(20) / 2] });

  test("weighs each token by its share of the largest entropy of 20 tokens", () => {
    close(eaft().weigh(row, context()), [0, 0, 1, 1 / 2]);
    close(eaft({ alpha: 2 }).weigh(row, context()), [0, 0, 1, 1 / 4]);
    expect([...eaft({ alpha: 0 }).weigh(row, context())]).toEqual([0, 1, 1, 1]);
  });

  test("divides by 3 as the released program does", () => {
    // ln 20 / 3 = 2.995732 / 3 = 0.998577
    close(eaft({ preset: "released" }).weigh(row, context()), [0, 0, 0.998577, 0.499289]);
    close(eaft({ preset: "released", entropyScale: ln(20) }).weigh(row, context()), [0, 0, 1, 1 / 2]);
  });

  test("takes an entropy that rounding left below 0 for 0", () => {
    const low = tokensOf([[1]], { entropyTop20: [-1e-7] });
    expect([...eaft({ alpha: 0.5 }).weigh(low, context())]).toEqual([0]);
  });

  test("refuses numbers that make no weight", () => {
    expect(() => eaft({ alpha: -1 })).toThrow(userError("invalid-option", "alpha"));
    expect(() => eaft({ entropyScale: 0 })).toThrow(userError("invalid-option", "entropyScale"));
    expect(() => eaft({ preset: "best" as "paper" })).toThrow(userError("invalid-option", "preset"));
  });
});

describe("deft", () => {
  // p = 1/4 three times, beside distributions of one, four and (all but) endless tokens, and p = 1
  const row = tokensOf([[0, 1, 1, 1, 1]], { nll: [9, ln(4), ln(4), ln(4), 0], concentration: [1, 1, 1 / 4, 1e-9, 1] });

  test("is DFT where the model is sure, full training where every token is as likely", () => {
    // (1/4)^1, (1/4)^(1/4) = 2^(-1/2), (1/4)^0
    close(deft().weigh(row, context()), [0, 1 / 4, Math.SQRT1_2, 1, 1]);
  });

  test("weighs unlikely tokens of a flat distribution less in the released program", () => {
    // alpha / (alpha + 1e-6): 1e-9 / 1.001e-6 = 0.000999; the others lose less than 5e-6
    close(deft({ preset: "released" }).weigh(row, context()), [0, 0.25, 0.707104, 0.000999, 0.999999]);
    expect(deft({ preset: "released", epsilon: 0 }).weigh(row, context())).toEqual(deft().weigh(row, context()));
  });

  test("refuses an epsilon below 0", () => {
    expect(() => deft({ epsilon: -1 })).toThrow(userError("invalid-option", "deft: epsilon"));
  });
});

describe("iw-sft", () => {
  // p / p_reference: 1, 3/2, 4 and 1/8 in the first row, 1/4 and 1 in the second, whose third token is no response
  const rows = tokensOf(
    [
      [1, 1, 1, 1],
      [1, 1, 0, 0],
    ],
    {
      nll: [1, 1, 1, 1 + ln(8), 1 + ln(4), 1, 0, 0],
      referenceNll: [1, 1 + ln(1.5), 1 + ln(4), 1, 1, 1, 9, 9],
    },
  );

  test("weighs each token by how much likelier it is than under the reference, between 0.2 and 1.8", () => {
    close(iwSft().weigh(rows, context()), [1, 1.5, 1.8, 0.2, 0.25, 1, 0, 0]);
    close(iwSft({ minimum: 0, maximum: 10 }).weigh(rows, context()), [1, 1.5, 4, 0.125, 0.25, 1, 0, 0]);
  });

  test("gives a row the geometric mean of its ratios as the released program does", () => {
    // (1 x 3/2 x 4 x 1/8)^(1/4) = 0.75^(1/4) = 0.930605; (1/4 x 1)^(1/2) = 1/2
    const expected = [0.930605, 0.930605, 0.930605, 0.930605, 0.5, 0.5, 0, 0];
    close(iwSft({ preset: "released" }).weigh(rows, context()), expected);
    close(iwSft({ over: "sequence" }).weigh(rows, context()), expected);
    close(iwSft({ over: "sequence", minimum: 0.6 }).weigh(rows, context()), [...expected.slice(0, 4), 0.6, 0.6, 0, 0]);
  });

  test("clamps a row's weight at 16", () => {
    const far = tokensOf([[1, 1]], { nll: [0, 0], referenceNll: [5, 5] });
    expect([...iwSft({ preset: "released" }).weigh(far, context())]).toEqual([16, 16]);
  });

  test("is full training while the model is its own reference", () => {
    const same = { ...rows, signals: { ...rows.signals, referenceNll: rows.signals.nll } };
    expect([...iwSft().weigh(same, context())]).toEqual([...rows.response]);
  });

  test("refuses bounds that leave nothing between them", () => {
    expect(() => iwSft({ minimum: 2 })).toThrow(userError("invalid-option", /maximum .*1\.8.*minimum, 2/s));
    expect(() => iwSft({ minimum: -1 })).toThrow(userError("invalid-option", "iw-sft: minimum"));
    expect(() => iwSft({ over: "row" as "token" })).toThrow(userError("invalid-option", "iw-sft: over"));
  });
});
