import { describe, expect, test } from "@jest/globals";
import { extractAnswer } from "../../../src/text/answers/extract.ts";

describe("the answer of a response", () => {
  test.each([
    ["so \\boxed{12} it is, not 13", "12", "boxed"],
    ["\\boxed{5}", "5", "boxed"],
    ["\\boxed{1} then \\boxed{\\frac{1}{2}}", "\\frac{1}{2}", "boxed"],
    ["\\boxed{3} and \\boxed{4", "3", "boxed"],
    ["\\boxed{3}} and { \\boxed{4}", "4", "boxed"],
    ["\\boxed{\\{1, 2\\}}", "\\{1, 2\\}", "boxed"],
    ["\\boxed{\\text{a \\} b}} 7", "\\text{a \\} b}", "boxed"],
    ["\\boxed{5}. Put the answer in \\boxed{}.", "5", "boxed"],
    ["\\boxed {6}", "6", "boxed"],
    ["$\\boxed 7$", "7", "boxed"],
    ["\\fbox{8}", "8", "boxed"],
    ["\\boxed{9}\n#### 10", "9", "boxed"],
    ["She has 12.\n#### 13", "13", "marked"],
    ["#### 1\nNo.\n#### 2", "2", "marked"],
    ["####\n42\nmore 7", "42", "marked"],
    ["#### Paris", "Paris", "marked"],
    ["#### Step 1: add\n3 + 4 = 7", "7", "lastNumber"],
    ["The answer is 5. Then 7 more come.", "5", "sentence"],
    ["The answer is 5 apples because 7 were eaten", "5 apples", "sentence"],
    ["The answer is $\\frac{3}{4}$, since 9 > 8.", "\\frac{3}{4}", "sentence"],
    ["the final answer is: **$3.50**.\n8 is not.", "$3.50", "sentence"],
    ["Answer: x^2 + 1", "x^2 + 1", "sentence"],
    ["**Answer:** 6\nI used 3 and 2.", "6", "sentence"],
    ["The answer is 1. No, the answer is 2.", "2", "sentence"],
    ["The answer is 4. But the answer is", "4", "sentence"],
    ["The answer is therefore 11, of 12", "11", "sentence"],
    ["Answer: Paris", "Paris", "sentence"],
    ["He sells 3.\nA: 18", "18", "sentence"],
    ["A: 3\nB: 4\nso 3 + 4 = 7", "7", "lastNumber"],
    ["x^2 + 1", "x^2 + 1", "whole"],
    ["Paris", "Paris", "whole"],
    ["3 + 4 = 7.", "3 + 4 = 7.", "whole"],
    ["2\\pi r", "2\\pi r", "whole"],
    ["2 x 3 = 6 bags", "2 x 3 = 6 bags", "whole"],
    ["8 x 3", "3", "lastNumber"],
    ["15 x 4 = um 60", "60", "lastNumber"],
    ["it costs $1,200.", "$1,200", "lastNumber"],
    ["from 5 to -3.50", "-3.50", "lastNumber"],
    ["so that 10-3", "3", "lastNumber"],
    ["I think about .5", ".5", "lastNumber"],
    ["which gives us 3/4 of it", "3/4", "lastNumber"],
    ["so we get \\frac{1}{2} of it", "\\frac{1}{2}", "lastNumber"],
    ["that is 50% of them", "50%", "lastNumber"],
  ])("%j is %j, found by the rule %p", (response, text, by) => {
    expect(extractAnswer(response)).toEqual({ text, by });
  });

  test.each(["", " \n "])("is missing in %j", (response) => {
    expect(extractAnswer(response)).toBeUndefined();
  });

  test("is looked for once, however many boxes, sentences and spaces there are", () => {
    const hostile = ["\\boxed{", "{", "the answer is ", "answer    ", "\n", "#### x\n", "1,", "\\", "$1/", "A:"];
    const started = process.cpuUsage();
    for (const part of hostile) extractAnswer(part.repeat(20_000));
    const { user } = process.cpuUsage(started);
    expect(user / 1e6).toBeLessThan(5);
  });
});
