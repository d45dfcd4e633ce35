import { describe, expect, test } from "@jest/globals";
import { highEntropy } from "../../src/selection/high-entropy.ts";
import { profit } from "../../src/selection/profit.ts";
import { relRows } from "../../src/selection/rel-rows.ts";
import { tokenCleaning } from "../../src/selection/token-cleaning.ts";
import { requireStepwise } from "../../src/training/weigh.ts";
import { userError } from "../user-error.ts";
import { context, tokensOf } from "./tokens.ts";

describe("rel-rows", () => {
  // mean history - current over the response: (1 + 0) / 2, 0.4 and -2; the last row has no response
  const rows = tokensOf(
    [
      [0, 1, 1],
      [0, 0, 1],
      [1, 1, 1],
      [0, 0, 0],
    ],
    {
      nll: [9, 1, 1, 9, 9, 1, 3, 3, 3, 9, 9, 9],
      historyNll: [0, 2, 1, 0, 0, 1.4, 1, 1, 1, 0, 0, 0],
    },
  );
  const kept = (options?: object) => [...relRows(options).weigh(rows, context())].join("");

  test("keeps whole responses, of the rows that improved most on average", () => {
    // of three rows with a response 0.6 x 3 = 1.8, so two, and 0.3 x 3 = 0.9, so one
    expect(kept()).toBe("011001000000");
    expect(kept({ ratio: 0.3 })).toBe("011000000000");
    expect(kept({ ratio: 0.3, order: "lowest" })).toBe("000000111000");
    expect(kept({ ratio: 1 })).toBe("011001111000");
    expect(relRows().metrics!(rows, new Float32Array(12), context())["relRange"]).toBeCloseTo(2.5, 6);
  });

  test("keeps every row while there is nothing to tell them apart by", () => {
    const { nll } = rows.signals;
    const same = { ...rows, signals: { ...rows.signals, historyNll: nll.map((loss, i) => loss + (i % 2) * 1e-6) } };
    expect([...relRows({ ratio: 0.3 }).weigh(same, context())].join("")).toBe("011001111000");
    expect([...relRows({ ratio: 0.3, minimumRange: 0 }).weigh(same, context())].join("")).not.toBe("011001111000");
    expect(kept({ ratio: 0.3, minimumRange: 3 })).toBe("011001111000");
  });

  test("keeps the only row of a step, and nothing of a step without responses", () => {
    const one = tokensOf([[0, 1]], { nll: [0, 1], historyNll: [0, 5] });
    expect([...relRows({ ratio: 0.1 }).weigh(one, context())]).toEqual([0, 1]);
    const none = tokensOf([[0, 0]], { nll: [0, 1], historyNll: [0, 5] });
    expect([...relRows().weigh(none, context())]).toEqual([0, 0]);
    expect(relRows().metrics!(none, new Float32Array(2), context())).toEqual({ relRange: 0 });
  });

  test.each([{ ratio: 0 }, { order: "first" as "lowest" }, { minimumRange: -1 }])("refuses %j", (options) => {
    expect(() => relRows(options)).toThrow(userError("invalid-option", `rel-rows: ${Object.keys(options)[0]}`));
  });
});

describe("token-cleaning", () => {
  // base - reference: 2, -1, 0.5 and 3, 0, 1
  const rows = tokensOf(
    [
      [1, 1, 1],
      [1, 1, 1],
    ],
    { nll: [0, 9, 0, 0, 9, 0], historyNll: [3, 1, 2, 4, 1, 2], referenceNll: [1, 2, 1.5, 1, 1, 1] },
  );

  test("keeps what the reference finds easier than the base does, whatever the model in training finds", () => {
    expect([...tokenCleaning({ ratio: 0.5 }).weigh(rows, context())]).toEqual([1, 0, 0, 1, 0, 1]);
    expect(tokenCleaning()).toMatchObject({ needs: ["historyNll", "referenceNll"], scope: "dataset", ratio: 0.6 });
  });

  test("ranks within responses when told to", () => {
    // a third of 3 tokens is 1
    const rule = tokenCleaning({ ratio: 1 / 3, scope: "response" });
    expect([...rule.weigh(rows, context())]).toEqual([1, 0, 0, 1, 0, 0]);
  });

  test("cuts the number of tokens to a whole one as the released program does", () => {
    // 0.6 x 6 = 3.6
    const kept = (preset: "paper" | "released") =>
      tokenCleaning({ preset })
        .weigh(rows, context())
        .reduce((sum, weight) => sum + weight, 0);
    expect([kept("paper"), kept("released")]).toEqual([4, 3]);
  });

  test("cannot rank over the dataset within a training step", () => {
    expect(() => requireStepwise(tokenCleaning())).toThrow(
      userError("rule-not-stepwise", /token-cleaning[^]*tokensift score/),
    );
  });
});

describe("profit", () => {
  const row = tokensOf([[0, 1, 1, 1, 1]], { nll: [0, 0, -Math.log(0.11), -Math.log(0.09), -Math.log(0.5)] });

  test("keeps tokens of probability 0.1 or more", () => {
    expect([...profit().weigh(row, context())]).toEqual([0, 1, 1, 0, 1]);
    // the nearest float32 to ln 2 lies above it, so that its probability is a little less than a half
    expect([...profit({ threshold: 0.4999 }).weigh(row, context())]).toEqual([0, 1, 0, 0, 1]);
  });

  test("keeps a probability that equals the threshold", () => {
    expect([...profit({ threshold: 1 }).weigh(row, context())]).toEqual([0, 1, 0, 0, 0]);
    expect([...profit({ threshold: 0 }).weigh(row, context())]).toEqual([0, 1, 1, 1, 1]);
  });

  test("may keep nothing of a response", () => {
    const unlikely = tokensOf([[1, 1]], { nll: [5, 6] });
    expect([...profit().weigh(unlikely, context())]).toEqual([0, 0]);
  });

  test("refuses what is no probability", () => {
    expect(() => profit({ threshold: 1.5 })).toThrow(userError("invalid-option", "profit: threshold"));
  });
});

describe("high-entropy", () => {
  // sorted 1 2 3 4 5 6; the quantile of 1 - 0.2 has rank 0.8 x 5 = 4, so it is 5
  const rows = tokensOf(
    [
      [1, 1, 1, 0],
      [1, 1, 1, 0],
    ],
    { entropy: [6, 1, 4, 9, 5, 2, 3, 9] },
  );

  test("keeps what reaches the quantile of the step", () => {
    expect([...highEntropy().weigh(rows, context())]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
    expect(highEntropy()).toMatchObject({ needs: ["entropy"], scope: "step", ratio: 0.2, divideBy: "kept" });
  });

  test("interpolates between neighbours, where the released program counts", () => {
    // 1 - 0.3: rank 3.5, quantile 4.5, two reach it; 0.35: rank 3.25, quantile 4.25, two; 0.35 x 6 = 2.1 counts three
    expect([...highEntropy({ ratio: 0.3 }).weigh(rows, context())]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
    expect([...highEntropy({ ratio: 0.35 }).weigh(rows, context())]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
    const counted = highEntropy({ ratio: 0.35, preset: "released" });
    expect([...counted.weigh(rows, context())]).toEqual([1, 0, 1, 0, 1, 0, 0, 0]);
  });

  test("keeps all tokens that equal the quantile, where the released program keeps the earlier", () => {
    const equal = tokensOf([[1, 1, 1, 1, 1]], { entropy: [2, 2, 2, 2, 2] });
    expect([...highEntropy().weigh(equal, context())]).toEqual([1, 1, 1, 1, 1]);
    expect([...highEntropy({ cut: "count" }).weigh(equal, context())]).toEqual([1, 0, 0, 0, 0]);
  });

  test("keeps what does not exceed the quantile from below, turned round", () => {
    // sorted 1 2 3 4 5 6; the quantile of 0.2 has rank 1, so it is 2
    expect([...highEntropy({ order: "lowest" }).weigh(rows, context())]).toEqual([0, 1, 0, 0, 0, 1, 0, 0]);
    const counted = highEntropy({ order: "lowest", cut: "count", ratio: 0.35 }); // 2.1 counts three
    expect([...counted.weigh(rows, context())]).toEqual([0, 1, 0, 0, 0, 1, 1, 0]);
  });

  test("is not misled by float64", () => {
    // 1 - 0.7 is 0.30000000000000004; x 10 the rank is 3 and a bit, whose quantile the token of rank 3 would miss
    const eleven = tokensOf([Array.from({ length: 11 }, () => 1)], { entropy: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] });
    const kept = highEntropy({ ratio: 0.7 }).weigh(eleven, context());
    expect([...kept]).toEqual([0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test("is full training at ratio 1, and nothing without a response", () => {
    expect([...highEntropy({ ratio: 1 }).weigh(rows, context())]).toEqual([...rows.response]);
    expect([...highEntropy().weigh(tokensOf([[0, 0]], { entropy: [1, 2] }), context())]).toEqual([0, 0]);
  });

  test("divides by all response tokens as the paper does", () => {
    expect(highEntropy({ preset: "paper" }).divideBy).toBe("response");
  });

  test("refuses other shares and cuts", () => {
    expect(() => highEntropy({ ratio: 0 })).toThrow(userError("invalid-option", "high-entropy: ratio"));
    expect(() => highEntropy({ cut: "half" as "count" })).toThrow(userError("invalid-option", "high-entropy: cut"));
    const order = "least" as "lowest";
    expect(() => highEntropy({ order })).toThrow(userError("invalid-option", "high-entropy: order"));
  });
});
