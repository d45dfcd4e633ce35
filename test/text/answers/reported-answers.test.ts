import { afterAll, describe, expect, test } from "@jest/globals";
import { verifier } from "../../../src/text/index.ts";

const { verify, close } = verifier();
afterAll(close);

test.each([
  ["dollar of a formula taken for a currency sign", "So the probability is $\\frac{3}{4}$.", "3/4", true],
  ["dollar of a formula taken for a currency sign", "Thus the final value is $\\dfrac{5}{6}$ cups.", "5/6", true],
  ["number torn out of a formula", "The side is $2\\sqrt{5}$ cm.", "5", false],
  ["number torn out of a formula", "so $a_1$.", "1", false],
  ["last formula not taken", "Adding gives $\\sqrt{5}$.", "\\sqrt{5}", true],
  ["number torn out of a time", "So it burns from 1:00 PM to 5:00 PM.", "0", false],
  ["words before a marked answer", "#### The total is 5", "5", true],
  [
    "box in the thinking taken before the answer behind it",
    "<think>maybe \\boxed{3}? no</think> The answer is 4.",
    "4",
    true,
  ],
  ["also", "So the probability is $\\frac{3}{4}$.", "3/4", true],
  ["also", "Adding gives \\sqrt{5}.", "5", false],
  ["also", "Adding gives \\sqrt{5}.", "\\sqrt5", true],
  ["also", "Adding gives 1 + \\sqrt{5}.", "\\sqrt{5}", false],
  ["also", "Adding gives 1 + \\sqrt{5}.", "1+\\sqrt5", true],
  ["also", "That makes 5^2.", "2", false],
  ["also", "That makes 5^2.", "25", true],
  ["also", "That makes 10^3 grams.", "3", false],
  ["also", "So x = 2^5.", "32", true],
  ["also", "It leaves at 5:30.", "30", false],
  ["also", "It leaves at 5 PM.", "5", false],
  ["also", "so $x_2$", "2", false],
  ["also", "so H2O", "2", false],
  ["also", "so 3x.", "3", false],
  ["also", "It costs $5 and $6.", "6", true],
  ["also", "It costs $5.", "5", true],
  ["also", "He pays $1,200.", "1200", true],
  ["also", "The price is $18$.", "18", true],
  ["also", "The price is \\$18.", "18", true],
  ["also", "He earns $50 - $20 = $30.", "30", true],
  ["also", "So she has 3 + 4 = 7 apples.", "7", true],
  ["also", "So $n = 7$.", "7", true],
  ["also", "So there are 12 ways to choose $x$.", "12", true],
  ["also", "#### Answer: 5", "5", true],
  ["also", "#### The total is 5 dollars", "5", true],
  ["also", "\\boxed{\\text{Answer: } 5}", "5", true],
  ["also", "\\boxed{Answer: 5}", "5", true],
  ["also", "\\boxed{\\text{The answer is } 5}", "5", true],
  ["also", "#### **5**", "5", true],
  ["also", "#### 5 dollars", "5", true],
  ["also", "#### Answer: $5", "5", true],
  ["also", "<think>maybe \\boxed{3}? no</think> The answer is 4.", "4", true],
  ["also", "<think>\\boxed{3}</think>\n\n\\boxed{4}", "4", true],
  ["also", "<think>so 3</think>\n4", "4", true],
  ["also", "<think>\\boxed{3}</think>", "3", true],
  ["also", "<think>hm</think><answer>7</answer>", "7", true],
  ["also", "The ratio is 2:3.", "2/3", true],
  ["also", "The ratio is 2:3.", "3", false],
  ["also", "It happened on May 5, 2020.", "2020", false],
  ["also", "It happened in 2020.", "2020", true],
  ["also", "The probability is 0.5%.", "0.5", true],
  ["also", "The area is 36\\pi.", "36\\pi", true],
  ["also", "The area is $36\\pi$ square units.", "36\\pi", true],
  ["also", "The area is 36π.", "36", false],
  ["also", "The area is 36π.", "36\\pi", true],
  ["also", "Therefore the answer is (B).", "B", true],
  ["also", "The answer is (B) 5.", "B", true],
  ["also", "The answer is: B", "(B)", true],
  ["also", "The answer is \\textbf{(B)}.", "B", true],
  ["also", "The answer is 3 or 4.", "3,4", true],
  ["also", "The answer is x=2 and y=1.", "y=1,x=2", true],
  ["also", "The answer is $x=2, y=1$.", "x=1,y=2", false],
  ["also", "答案是 5。", "5", true],
  ["also", "答案：12元", "12", true],
  ["also", "所以一共有36个。", "36", true],
  ["also", "The answer is $\\{1,2\\}$.", "2,1", true],
  ["also", "We get $$x = \\frac{1}{2}.$$", "0.5", true],
  ["also", "We get \\[x = \\frac{1}{2}.\\]", "0.5", true],
  ["also", "We get \\(5\\) apples.", "5", true],
  ["also", "so we have 5!", "5", true],
  ["also", "\\boxed{5!}", "120", true],
  ["also", "I'm sure it is 42!", "42", true],
  ["also", "It is 120 = 5!.", "120", true],
  ["also", "The answer is 12.", "12", true],
  ["also", "The final answer is 3.5 hours.", "3.5", true],
  ["also", "She runs 3.5 km/h.", "3.5", true],
  ["also", "He is 12 years old.", "12", true],
  ["also", "the 15th day", "15", true],
  ["also", "It is a 5-year-old.", "5", true],
  ["also", "Total: 5", "5", true],
  ["also", "Answer:\n\n5", "5", true],
  ["also", "The answer is\n$$5$$", "5", true],
  ["also", "#### 1>2<3", "3", false],
  ["also", "x>2<4", "3", false],
  ["also", "\\boxed{x>2<4}", "3", false],
  ["also", "The answer is 5 > 3 < 4.", "3", false],
  ["also", "The answer is 5 > 3 < 4.", "4", false],
  ["also", "The answer is 5 > 3 < 4.", "5", false],
  ["also", "\\boxed{5 > 3}", "3", false],
  ["also", "\\boxed{3 < 5}", "5", false],
  ["also", "\\boxed{\\text{on}}", "no", false],
  ["also", "\\boxed{on}", "no", false],
  ["also", "\\boxed{\\text{ten}}", "net", false],
])("the answer of a response without a box (%s): %j against %j", async (_, response, reference, isRight) => {
  const { verdict } = await verify({ response, reference });
  expect(verdict === "correct").toBe(isRight);
});

test.each([
  ["values of other variables", "So \\boxed{x=2, y=1}.", "x=1, y=2", false],
  ["values of other variables", "The answer is m = 4, n = 3.", "m=3, n=4", false],
  ["one variable, two values stay a set", "So \\boxed{x=2 \\text{ or } x=1}.", "x=1,x=2", true],
  ["word read as a product of letters", "\\boxed{\\text{red}}", "der", false],
  ["false equation, right side taken", "\\boxed{2=3=4}", "4", false],
])("a wrong answer is not judged right (%s): %j against %j", async (_, response, reference, isRight) => {
  const { verdict } = await verify({ response, reference });
  expect(verdict === "correct").toBe(isRight);
});

test.each([
  ["comma before and/or", "So we get \\boxed{1, 2, and 3}.", "1,2,3", true],
  ["comma before and/or", "So we get \\boxed{3, 1, 2}.", "1, 2, \\text{or } 3", true],
  ["case of a short word", "So we get \\boxed{\\text{Yes}}.", "yes", true],
  ["case of a short word", "So we get \\boxed{\\textbf{Odd}}.", "odd", true],
  ["unit behind what is no plain number", "So we get \\boxed{36\\pi}.", "36\\pi\\text{ square units}", true],
  [
    "unit behind what is no plain number",
    "So we get \\boxed{\\frac{\\pi}{2}\\text{ radians}}.",
    "\\frac{\\pi}{2}",
    true,
  ],
  ["unit behind what is no plain number", "So we get \\boxed{3x \\text{ dollars}}.", "3x", true],
  ["number with its base", "So we get \\boxed{1010_2}.", "1010_{2}", true],
  ["explicit and implicit line", "So we get \\boxed{y=3x+13}.", "3x-y+13=0", true],
  [
    "matrix as array",
    "So we get \\boxed{\\left[\\begin{array}{cc}1&2\\\\3&4\\end{array}\\right]}.",
    "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}",
    true,
  ],
  ["thin space between thousands", "So we get \\boxed{12\\,345}.", "12345", true],
  ["repeating decimal", "So we get \\boxed{0.\\overline{3}}.", "1/3", true],
  ["repeating decimal", "So we get \\boxed{0.\\overline{3}}.", "0.\\overline{6}", false],
  ["the real numbers", "So we get \\boxed{\\mathbb R}.", "\\mathbb{R}", true],
  ["\\over", "So we get \\boxed{{1 \\over 2}}.", "1/2", true],
  ["ratio", "So we get \\boxed{2:3}.", "2/3", true],
  ["identity of positive variables", "So we get \\boxed{\\sqrt{1/n}}.", "\\frac{1}{\\sqrt{n}}", true],
  ["Chinese unit", "So we get \\boxed{36\\text{元}}.", "36", true],
  ["Chinese or", "So we get \\boxed{1或2}.", "1,2", true],
  ["value on the left of the sign", "\\boxed{4 = x}", "4", true],
])("a right answer is judged right (%s): %j against %j", async (_, response, reference, isRight) => {
  const { verdict } = await verify({ response, reference });
  expect(verdict === "correct").toBe(isRight);
});

describe("comparisons that turn round", () => {
  test.each([
    "\\boxed{x>2<4}",
    "The answer is 5 > 3 < 4.",
    "#### 1>2<3",
    "x>2<4",
    "#### 5 > 3 < 4",
    "\\boxed{a<b>c<d>e}",
  ])("%j has a verdict", async (response) => {
    expect((await verify({ response, reference: "3" })).verdict).toMatch(/^(wrong|unparsable)$/);
  });
});
