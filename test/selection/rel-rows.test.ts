import { expect, test } from "@jest/globals";
import { relRows } from "../../src/selection/rel-rows.ts";
import { userError } from "../user-error.ts";
import { context, tokensOf } from "./tokens.ts";

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
