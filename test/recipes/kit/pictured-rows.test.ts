import { describe, expect, test } from "@jest/globals";
import { reportContradictions } from "../../../src/config/report-group.ts";
import { listedPlaces, ranked, rowChoice } from "../../../src/recipes/kit/pictured-rows.ts";
import { userError } from "../../user-error.ts";

const losses = [
  { loss: 2, before: 3 }, // |2 - 3| = 1
  { loss: 4, before: 4.5 }, // 0.5
  { loss: 1, before: 0 }, // 1, too
  { loss: 2, before: 5 }, // 3
];

describe("the rows that a page pictures", () => {
  test.each([
    ["worst", [1, 0, 3, 2]],
    ["best", [2, 0, 3, 1]],
    ["changed", [3, 0, 2, 1]],
  ] as const)("that are %s come in order of their losses, equal ones in that of the data", (kind, order) => {
    expect(ranked(kind, losses, 32)).toEqual(order);
    expect(ranked(kind, losses, 2)).toEqual(order.slice(0, 2));
  });

  test.each([
    ["worst", [1, 2, 0]],
    ["best", [0, 2, 1]],
    ["changed", [1, 0, 2]],
  ] as const)("that are %s take a loss that is no number for the highest", (kind, order) => {
    const broken = [
      { loss: 1, before: 2 },
      { loss: NaN, before: 1 },
      { loss: 3, before: 3 },
    ];
    expect(ranked(kind, broken, 3)).toEqual(order);
  });

  test("are found by their numbers in the data, and one that is not there is refused with the nearest", () => {
    const tokens = { rowIds: Float64Array.of(0, 2, 3.5, 9) };
    expect(listedPlaces({ rows: [9, 3.5, 0] }, tokens, "data.train")).toEqual([3, 2, 0]);
    expect(listedPlaces("explorer", tokens, "data.train")).toEqual([]);
    expect(() => listedPlaces({ rows: [0, 8] }, tokens, "data.train")).toThrow(
      userError("unknown-row", /row 8\b.*data\.train[^]*row 9\b/),
    );
  });

  test("are as many as the configuration says, and keys without effect are refused", () => {
    expect(rowChoice("static", 8)).toEqual({ kind: "first", count: 8 });
    expect(rowChoice({ rows: "worst" }, 8)).toEqual({ kind: "worst", count: 8 });
    expect(rowChoice({ rows: [4], count: undefined }, 8)).toEqual({ listed: [4] });
    const refused = (report: object) => reportContradictions(report).map(({ path }) => path.join("."));
    expect(refused({ rows: [4], count: 2, among: 9 })).toEqual(["report.count", "report.among"]);
    expect(refused({ among: 9, count: 2 })).toEqual(["report.among"]);
    expect(refused({ rows: "changed", among: 9, count: 2 })).toEqual([]);
  });
});
