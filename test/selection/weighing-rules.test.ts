import { describe, expect, test } from "@jest/globals";
import { createFrom, rules } from "../../src/selection/index.ts";
import { asft } from "../../src/selection/asft.ts";
import { deft } from "../../src/selection/deft.ts";
import { dft } from "../../src/selection/dft.ts";
import { eaft } from "../../src/selection/eaft.ts";
import { focal } from "../../src/selection/focal.ts";
import { forgetting } from "../../src/selection/forgetting.ts";
import { iwSft } from "../../src/selection/iw-sft.ts";
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

describe("asft", () => {
  test("weighs as dft does, and says how much the divergence counts", () => {
    const row = tokensOf([[0, 1, 1]], { nll: [9, 0.3, 2] });
    expect(asft().weigh(row, context())).toEqual(dft().weigh(row, context()));
    expect([asft().anchor, asft({ coefficient: 0 }).anchor, dft().anchor]).toEqual([0.05, 0, undefined]);
    expect(() => asft({ coefficient: -1 })).toThrow(userError("invalid-option", "asft: coefficient"));
  });
});

describe("forgetting", () => {
  // base - reference: 3, 1, 2, -1 of tokens with p = 1/2, 1/4, 1/2 and 1/2
  const signals = { nll: [ln(2), ln(4), ln(2), ln(2)], historyNll: [4, 2, 3, 1], referenceNll: [1, 1, 1, 2] };
  const row = tokensOf([[1, 1, 1, 1]], signals);

  test("learns the tokens on which the reference gained most and unlearns the others, as two means", () => {
    // two of four each: 4 / 2 on the learnt, -lambda x 4 / 2 x p / (1 - p) on the unlearnt: 1/3 and 1 of lambda 2 / 4
    const rule = forgetting({ ratio: 0.5, coefficient: 0.25 });
    close(rule.weigh(row, context()), [2, -0.5 / 3, 2, -0.5]);
    close(forgetting({ ratio: 0.5, unlearn: "ascent" }).weigh(row, context()), [2, -0.5, 2, -0.5]);
    expect(rule.metrics!(row, rule.weigh(row, context()), context())).toEqual({
      ...{ unlearntTokens: 2, unlearningCoefficient: 0.25 },
    });
  });

  test("lets the coefficient grow over its ramp", () => {
    const at = (step: number) =>
      forgetting({ ratio: 0.5, rampSteps: 10, unlearn: "ascent" }).weigh(row, context({ step }));
    close(at(0), [2, 0, 2, 0]);
    close(at(4), [2, -0.2, 2, -0.2]); // 0.25 x 4 / 10 x 4 / 2
    close(at(10), [2, -0.5, 2, -0.5]);
    close(at(25), [2, -0.5, 2, -0.5]);
  });

  test("pushes no logit by more than lambda x p, and an unlikely token all but not", () => {
    // one learnt token, and unlearnt ones from certain to all but impossible; the push on a logit is weight x (1 - p)
    const nll = [1, 0, 1e-9, 1e-4, 1, 30, 60];
    const many = tokensOf([nll.map(() => 1)], {
      nll,
      historyNll: nll.map((_, i) => Number(i === 0)),
      referenceNll: nll.map(() => 0),
    });
    const weights = forgetting({ ratio: 1 / 7, coefficient: 1 }).weigh(many, context());
    nll.slice(1).forEach((loss, i) => {
      const [p, mean] = [Math.exp(-loss), 7 / 6];
      expect(Number.isFinite(weights[i + 1])).toBe(true);
      expect(-weights[i + 1]! * -Math.expm1(-loss)).toBeLessThanOrEqual(mean * p * (1 + 1e-6));
    });
    expect(-weights[6]!).toBeLessThan(1e-25);
  });

  test("unlearns nothing of a response of one token, nor where all are learnt", () => {
    const one = tokensOf([[0, 1]], { nll: [0, 1], historyNll: [0, 1], referenceNll: [0, 2] });
    expect([...forgetting().weigh(one, context())]).toEqual([0, 1]);
    expect([...forgetting({ ratio: 1 }).weigh(row, context())]).toEqual([1, 1, 1, 1]);
    expect([
      ...forgetting().weigh(tokensOf([[0, 0]], { nll: [0, 0], historyNll: [0, 0], referenceNll: [0, 0] }), context()),
    ]).toEqual([0, 0]);
  });

  test.each([{ ratio: 0 }, { coefficient: -1 }, { rampSteps: 0.5 }, { unlearn: "all" as "ascent" }])(
    "refuses %j",
    (options) => {
      expect(() => forgetting(options)).toThrow(userError("invalid-option", `forgetting: ${Object.keys(options)[0]}`));
    },
  );
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
