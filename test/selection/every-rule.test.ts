import { describe, expect, test } from "@jest/globals";
import type { Signal, Tokens } from "../../src/contract/index.ts";
import { budgetCount } from "../../src/ranking/index.ts";
import { hasOption, namesOf } from "../../src/config/catalogue.ts";
import { createFrom, rules } from "../../src/selection/index.ts";
import { checkedWeights } from "../../src/training/checked-weights.ts";
import { weighTogether } from "../../src/training/weigh.ts";
import { userError } from "../user-error.ts";
import { context, makeTokens, oneRow } from "./tokens.ts";

const layout = ["PPPrrrrePPrrrrrre", "PPrrePPPrre", "PPPPPPPP", "PrrrrrrePrrrrrrrre", "PPre"];
const tokens = makeTokens(layout);
const names = namesOf(rules);
const choosers = names.filter((name) => hasOption(rules, name, "rounding"));
const count = (weights: Float32Array) => weights.filter((weight) => weight !== 0).length;
const rowOf = (weights: Float32Array, b: number, width: number, length = width) =>
  weights.slice(b * width, b * width + length);

describe.each(names)("%s", (method) => {
  const rule = createFrom(rules, { method });
  const weights = checkedWeights(rule, tokens, context());

  test("is named as in the catalogue and says which divisor it uses", () => {
    expect(rule.name).toBe(method);
    expect(["kept", "response"]).toContain(rule.divideBy);
  });

  test("gives the same weights again, and none outside the responses", () => {
    expect(rule.weigh(tokens, context())).toEqual(weights);
    expect(rule.weigh(tokens, context()).every((weight, i) => tokens.response[i] || weight === 0)).toBe(true);
  });

  test("does not see padding, whatever it holds", () => {
    const padded = makeTokens(layout, { padding: 5 });
    for (const signal of Object.values(padded.signals)) {
      signal.forEach((_, i) => layout[Math.floor(i / padded.width)]![i % padded.width] ?? (signal[i] = NaN));
    }
    const again = checkedWeights(rule, padded, context());
    layout.forEach((row, b) => {
      expect(rowOf(again, b, padded.width, row.length)).toEqual(rowOf(weights, b, tokens.width, row.length));
      expect(count(rowOf(again, b, padded.width).subarray(row.length))).toBe(0);
    });
  });

  test("gives a step the same weights however it is split into micro-batches", () => {
    const parts = [makeTokens(layout.slice(0, 2)), makeTokens(layout.slice(2), { firstRow: 102 })];
    const inStep = rule.scope === "dataset" ? createFrom(rules, { method, scope: "step" }) : rule;
    const step = weighTogether(inStep, parts, context());
    layout.forEach((row, b) => {
      const [part, at] = b < 2 ? [0, b] : [1, b - 2];
      const got = rowOf(step.weights[part]!, at, parts[part]!.width, row.length);
      expect(got).toEqual(rowOf(weights, b, tokens.width, row.length));
    });
    const whole = weighTogether(inStep, [tokens], context()).metrics;
    for (const [key, value] of Object.entries(step.metrics)) expect(value).toBeCloseTo(whole[key]!, 6);
  });

  test("refuses options it does not have, suggesting the nearest", () => {
    expect(() => createFrom(rules, { method, rato: 0.5 })).toThrow(
      userError("invalid-option", `selection.method ${method}: selection has no option "rato"`),
    );
  });
});

const readers = names.flatMap((method) =>
  createFrom(rules, { method })
    .needs.filter((signal) => signal !== "promptAttention")
    .map((signal) => [method, signal] as const),
);
test.each(readers)("%s names row and token of a %s that is not a number", (method, signal) => {
  const values = tokens.signals[signal]!.slice();
  values[3 * tokens.width + 10] = NaN;
  const bad = { ...tokens, signals: { ...tokens.signals, [signal]: values } };
  expect(() => checkedWeights(createFrom(rules, { method }), bad, context())).toThrow(
    userError(["not-finite", "invalid-weight"], "row 103, token 10"),
  );
});

describe.each(names.filter((name) => createFrom(rules, { method: name }).scope === "response"))("%s", (method) => {
  test("weighs a row alone as in a batch", () => {
    const rule = createFrom(rules, { method });
    const weights = checkedWeights(rule, tokens, context());
    layout.forEach((row, b) => {
      const alone = checkedWeights(rule, oneRow(tokens, b, row.length), context());
      expect(alone).toEqual(rowOf(weights, b, tokens.width, row.length));
    });
  });
});

describe.each(choosers)("%s", (method) => {
  test("is full training at ratio 1", () => {
    const all = Float32Array.from(tokens.response);
    expect(createFrom(rules, { method, ratio: 1 }).weigh(tokens, context())).toEqual(all);
  });

  test.each(["response", "step"].filter((scope) => scope === "response" || hasOption(rules, method, "scope")))(
    "keeps exactly its budget of each %s",
    (scope) => {
      const options = hasOption(rules, method, "scope") ? { scope } : {};
      const eligible = layout.map((_, b) =>
        count(Float32Array.from(rowOf(Float32Array.from(tokens.response), b, tokens.width))),
      );
      for (const ratio of [0.3, 0.6, 0.85]) {
        const weights = createFrom(rules, { method, ratio, ...options }).weigh(tokens, context());
        const perRow = eligible.map((n) => budgetCount(n, ratio, "ceil"));
        if (scope === "step")
          expect(count(weights)).toBe(
            budgetCount(
              eligible.reduce((a, b) => a + b),
              ratio,
              "ceil",
            ),
          );
        else expect(layout.map((_, b) => count(rowOf(weights, b, tokens.width)))).toEqual(perRow);
      }
    },
  );

  test("prefers the earlier of tokens it cannot tell apart", () => {
    const same = Object.fromEntries(Object.entries(tokens.signals).map(([name, s]) => [name, s.slice().fill(0.5)]));
    const equal = oneRow({ ...tokens, signals: same as Tokens<Signal>["signals"] }, 4, 4); // PPre
    const weights = createFrom(rules, { method, ratio: 0.5, keepEndOfTurn: false }).weigh(
      equal,
      context({ uniform: () => 0.5 }),
    );
    expect([...weights]).toEqual([0, 0, 1, 0]);
  });

  test("turned round, drops what it keeps of the other tokens", () => {
    if (!hasOption(rules, method, "order")) return;
    // PPrr with scores apart: half of two tokens is one, and the other one is kept when turned round
    const row = oneRow(tokens, 4, 4);
    const kept = (order: "highest" | "lowest") =>
      [...createFrom(rules, { method, ratio: 0.5, keepEndOfTurn: false, order }).weigh(row, context())].join("");
    expect([kept("highest"), kept("lowest")].sort()).toEqual(["0001", "0010"]);
  });

  test.each([{ ratio: 0 }, { ratio: 1.5 }, { ratio: "much" }, { rounding: "up" }, { divideBy: "all" }])(
    "refuses %j",
    (options) => {
      expect(() => createFrom(rules, { method, ...options })).toThrow(
        userError("invalid-option", `selection.${Object.keys(options)[0]}`),
      );
    },
  );
});
