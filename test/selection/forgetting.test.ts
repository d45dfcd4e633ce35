import { expect, test } from "@jest/globals";
import { forgetting } from "../../src/selection/forgetting.ts";
import { userError } from "../user-error.ts";
import { expectClose } from "./expect-close.ts";
import { context, tokensOf } from "./tokens.ts";

// base - reference: 3, 1, 2, -1 of tokens with p = 1/2, 1/4, 1/2 and 1/2
const signals = {
  nll: [Math.log(2), Math.log(4), Math.log(2), Math.log(2)],
  historyNll: [4, 2, 3, 1],
  referenceNll: [1, 1, 1, 2],
};
const row = tokensOf([[1, 1, 1, 1]], signals);

test("learns the tokens on which the reference gained most and unlearns the others, as two means", () => {
  // two of four each: 4 / 2 on the learnt, -lambda x 4 / 2 x p / (1 - p) on the unlearnt: 1/3 and 1 of lambda 2 / 4
  const rule = forgetting({ ratio: 0.5, coefficient: 0.25 });
  expectClose(rule.weigh(row, context()), [2, -0.5 / 3, 2, -0.5]);
  expectClose(forgetting({ ratio: 0.5, unlearn: "ascent" }).weigh(row, context()), [2, -0.5, 2, -0.5]);
  expect(rule.metrics!(row, rule.weigh(row, context()), context())).toEqual({
    ...{ unlearntTokens: 2, unlearningCoefficient: 0.25 },
  });
});

test("lets the coefficient grow over its ramp", () => {
  const at = (step: number) =>
    forgetting({ ratio: 0.5, rampSteps: 10, unlearn: "ascent" }).weigh(row, context({ step }));
  expectClose(at(0), [2, 0, 2, 0]);
  expectClose(at(4), [2, -0.2, 2, -0.2]); // 0.25 x 4 / 10 x 4 / 2
  expectClose(at(10), [2, -0.5, 2, -0.5]);
  expectClose(at(25), [2, -0.5, 2, -0.5]);
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
