import { describe, expect, test } from "@jest/globals";
import { finalAnswer, sameAnswer } from "../../../src/text/index.ts";

describe("the final answer of a solution", () => {
  test.each([
    ["She has 12.\n#### 13", "13"],
    ["#### 1\nNo.\n#### 2", "2"],
    ["#### 1,234,567", "1234567"],
    ["#### $18.50", "18.5"],
    ["#### -0.0", "0"],
    ["#### 007", "7"],
    ["#### 50%", "50"],
    ["####\n42\nmore 7", "42"],
    ["#### x + 1", "x + 1"],
    ["so \\boxed{12} it is, not 13", "12"],
    ["\\boxed{1} then \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"],
    ["\\boxed{3} and \\boxed{4", "3"],
    ["3 + 4 = 7.", "7"],
    ["it costs $1,200.", "1200"],
    ["from 5 to -3.50", "-3.5"],
    ["about .5", "0.5"],
    ["in total 3,4", "4"],
    ["no number", undefined],
    ["####", undefined],
    ["", undefined],
  ])("of %p is %p", (text, answer) => {
    expect(finalAnswer(text)).toBe(answer);
  });
});

describe("two answers", () => {
  test.each([
    ["18", "18.0", true],
    ["1,000", "1000", true],
    ["$5", "5", true],
    ["0.5", "1/2", true],
    ["\\frac{1}{2}", "0.50", true],
    ["1/3", "0.3333333333333", true],
    ["1/3", "0.33", false],
    ["1e3", "1000", true],
    ["12", "13", false],
    ["1/0", "1/0", true],
    ["1/0", "2/0", false],
    ["x + 1", "X+1", true],
    ["Paris", "paris.", true],
    ["", "0", false],
    ["1000000001", "1000000002", false],
  ])("%p and %p are the same: %p", (a, b, same) => {
    expect(sameAnswer(a, b)).toBe(same);
    expect(sameAnswer(b, a)).toBe(same);
  });
});
