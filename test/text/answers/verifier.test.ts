import { afterAll, describe, expect, test } from "@jest/globals";
import { outcomeRewards } from "../../../src/reward/index.ts";
import { verifier, type Verification, type VerifierOptions } from "../../../src/text/index.ts";
import { userError } from "../../user-error.ts";

const shared = verifier();
afterAll(() => shared.close());
const boxed = (answer: string): string => `So it is $\\boxed{${answer}}$.`;
const judge = async (answer: string, reference: string): Promise<Verification["verdict"]> =>
  (await shared.verify({ response: boxed(answer), reference })).verdict;

describe("the same value is correct whichever side it stands on", () => {
  test.each([
    ["18", "18.0"],
    ["007", "7"],
    ["-0", "0"],
    ["-0.0", "0"],
    ["+5", "5"],
    ["5.", "5"],
    [".5", "0.5"],
    ["1,000", "1000"],
    ["1,234,567.80", "1234567.8"],
    ["1{,}000", "1000"],
    ["1,\\!000", "1000"],
    ["$5.00", "5"],
    ["\\$1,200", "1200"],
    ["€3", "3"],
    ["50\\%", "50"],
    ["3/4", "0.75"],
    ["\\frac34", "3/4"],
    ["\\eta=5", "5"],
    ["\\kappa_1 = 2", "2"],
    ["2\\Delta", "\\Delta + \\Delta"],
    ["\\dfrac{3}{4}", "\\frac{6}{8}"],
    ["\\tfrac{3}{4}", "0.750"],
    ["-\\frac{1}{2}", "\\frac{-1}{2}"],
    ["3\\frac{1}{2}", "7/2"],
    ["3 1/2", "3.5"],
    ["-1\\frac12", "-1.5"],
    ["½", "0.5"],
    ["2½", "5/2"],
    ["1.5e3", "1500"],
    ["1.5 \\times 10^{3}", "1500"],
    ["2×10^-2", "0.02"],
    ["−5", "-5"],
    ["–5", "-5"],
    ["5", "5"],
    ["0.3333333333333", "1/3"],
    ["5 apples", "5"],
    ["5\\text{ cm}", "5"],
    ["12 \\text{ feet}^2", "12"],
    ["25 m/s", "25"],
    ["12 square inches", "12"],
    ["3 1/2 cups", "3.5"],
    ["5 dollars per day", "5"],
    ["90^\\circ", "90"],
    ["90°", "90"],
    ["\\cos 60^\\circ", "1/2"],
    ["5 cm, 6 cm", "6, 5"],
    ["2 x 3 = 6 bags", "6"],
    ["x = 5", "5"],
    ["f(x) = x^2", "x^2"],
    ["3 + 3 = 6", "6"],
    ["2x + 3y = 6", "4x + 6y = 12"],
    ["\\text{Paris}", "paris"],
    ["\\textbf{(B)}", "B"],
    ["yes", "Yes"],
    ["(1, 2)", "\\left(1,\\,2\\right)"],
    ["(1, \\frac12)", "(1,0.5)"],
    ["\\{1, 2, 3\\}", "\\{3,1,2\\}"],
    ["\\{1, 1, 2\\}", "\\{2, 1\\}"],
    ["\\{1, 2\\}", "2, 1"],
    ["1,000, 2,000", "2000, 1000"],
    ["x = 1 \\text{ or } x = 2", "2, 1"],
    ["6 \\text{ and } 7", "7, 6"],
    ["\\emptyset", "\\{\\}"],
    ["\\pm 3", "-3, 3"],
    ["1 \\pm \\sqrt2", "1-\\sqrt{2}, 1+\\sqrt{2}"],
    ["[0, 1)", "[0,1)"],
    ["x \\le 5", "(-\\infty, 5]"],
    ["1 < x \\leq 3", "(1,3]"],
    ["x \\in (2, \\infty)", "x > 2"],
    ["(-\\infty,1)\\cup(2,3]", "(2,3] \\cup (-\\infty,1)"],
    ["\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix}1.0\\\\2\\end{pmatrix}"],
    ["\\infty", "+\\infty"],
    ["2\\sqrt{3}", "\\sqrt{12}"],
    ["\\frac{\\sqrt2}{2}", "\\frac{1}{\\sqrt{2}}"],
    ["\\sqrt[3]{8}", "2"],
    ["x^2+1", "1 + x^2"],
    ["x²", "x^2"],
    ["(x+1)^2", "x^2 + 2x + 1"],
    ["y(x+1)", "xy + y"],
    ["\\pi/2", "\\frac{\\pi}{2}"],
    ["2\\pi r", "r \\cdot 2\\pi"],
    ["\\sin^2 x + \\cos^2 x", "1"],
    ["\\sin 2x", "2\\sin x\\cos x"],
    ["\\log_2 8", "3"],
    ["\\ln e^2", "2"],
    ["2 + 3i", "3i + 2"],
    ["(1+i)^2", "2i"],
    ["9!", "362880"],
    ["\\binom{5}{2}", "10"],
    ["\\lfloor 2.5 \\rfloor", "2"],
    ["|{-3}|", "3"],
    ["x_1 + x_2", "x_{2} + x_{1}"],
    ["2^{10}", "1024"],
    ["\\frac{1}{2} + \\frac13", "5/6"],
    ["0.1 + 0.2", "0.3"],
    ["1/0", "1/0"],
    ["1e999999", "1e999999"],
  ])("%j and %j", async (a, b) => {
    expect([await judge(a, b), await judge(b, a)]).toEqual(["correct", "correct"]);
  });
});

describe("another value is wrong whichever side it stands on", () => {
  test.each([
    ["12", "13"],
    ["0", "1"],
    ["1,00", "100"],
    ["1,00", "1,000"],
    ["0.333", "1/3"],
    ["3.14", "\\pi"],
    ["50%", "0.5"],
    ["5", "500"],
    ["1000000000000000000001", "1000000000000000000000"],
    ["0.1234567890123", "0.1234567890124"],
    ["2^{100} + 1", "2^{100}"],
    ["(1, 2)", "(2, 1)"],
    ["(1, 2)", "(1, 2, 3)"],
    ["(0, 1)", "[0, 1]"],
    ["[0, 1)", "[0, 1]"],
    ["\\{1, 2\\}", "\\{1, 2, 3\\}"],
    ["\\{1, 2\\}", "(1, 2)"],
    ["\\infty", "-\\infty"],
    ["\\infty", "7"],
    ["x", "|x|"],
    ["x + 1", "x - 1"],
    ["a", "b^2"],
    ["x + 1", "X + 1"],
    ["2x + 3y = 6", "5x - y = 6"],
    ["x - x = 0", "y - 2 = 0"],
    ["2x = 6", "6"],
    ["Paris", "London"],
  ])("%j and %j", async (a, b) => {
    expect([await judge(a, b), await judge(b, a)]).toEqual(["wrong", "wrong"]);
  });
});

describe("what cannot be compared is unparsable", () => {
  test.each([
    ["10^10^10", "5"],
    ["1/0", "5"],
    ["1/0", "2/0"],
    ["0/0", "0"],
    ["NaN", "5"],
    ["1e999999", "5"],
    ["three", "3"],
    ["٣", "3"],
    ["999!", "5"],
    ["x^", "5"],
    ["(((1", "5"],
    ["9".repeat(5000), "5"],
    ["1+".repeat(5000) + "1", "5001"],
    ["(".repeat(300) + "1" + ")".repeat(300), "1"],
    ["\\sqrt".repeat(100) + "2", "2"],
    ["{".repeat(10_000) + "1" + "}".repeat(10_000), "1"],
    ['import("fs")', "5"],
    ['constructor.constructor("return process")()', "5"],
    ["__proto__", "5"],
    ["toString()", "5"],
    ['evaluate("1+4")', "5"],
    ["createUnit(x)", "5"],
    ["ones(10000,10000)", "5"],
    ["cos.constructor(1)", "5"],
    ["\\input{/etc/passwd}", "5"],
  ])("%.40j against %j", async (answer, reference) => {
    expect(await judge(answer, reference)).toBe("unparsable");
  });

  test.each(["", "   "])("and so is the response %j", async (response) => {
    expect(await shared.verify({ response, reference: "5" })).toEqual({ verdict: "unparsable" });
  });
});

test("a verification tells what was found, and by which rule", async () => {
  const verification = await shared.verify({ response: "Thus 6.\n#### $1,000", reference: "2 x 500\n#### 1000" });
  expect(verification).toEqual({ verdict: "correct", extracted: "$1,000", by: "marked" });
});

test("a response that is not finished is wrong, whatever it says", async () => {
  expect(await shared.verify({ response: boxed("5"), reference: "5", finished: false })).toEqual({ verdict: "wrong" });
});

test("a box in the question does not count, for only the response is read", async () => {
  const question = "What is 2 + 3? Give \\boxed{5} or \\boxed{6}.";
  const response = "The answer is 6.";
  expect((await shared.verify({ response, reference: "5" })).verdict).toBe("wrong");
  // A response that repeats the question is judged by its own box, the last one.
  expect((await shared.verify({ response: `${question} ${boxed("5")}`, reference: "5" })).verdict).toBe("correct");
});

test("a reference is an answer, or a solution that marks one", async () => {
  for (const reference of ["3/4", "so 1 - 1/4.\n#### 0.75", boxed("\\frac34"), "As 7 > 6, the answer is 3/4."])
    expect((await shared.verify({ response: boxed("0.75"), reference })).verdict).toBe("correct");
});

describe("options", () => {
  const judged = async (options: VerifierOptions, answer: string, reference: string) => {
    const { verify, close } = verifier(options);
    try {
      return (await verify({ response: boxed(answer), reference })).verdict;
    } finally {
      await close();
    }
  };

  test("percent accepts a number for a hundred times it", async () => {
    const options = { percent: true };
    expect(await judged(options, "50%", "0.5")).toBe("correct");
    expect(await judged(options, "5", "500")).toBe("correct");
    expect(await judged(options, "5", "50")).toBe("wrong");
  });

  test("tolerance is relative and for decimals only", async () => {
    const options = { tolerance: 0.01 };
    expect(await judged(options, "0.333", "1/3")).toBe("correct");
    expect(await judged(options, "3.14", "\\pi")).toBe("correct");
    expect(await judged(options, "3.10", "3.14")).toBe("wrong");
    expect(await judged(options, "1000", "1001")).toBe("wrong");
    expect(await judged(options, "\\sqrt{1000}", "\\sqrt{1001}")).toBe("wrong");
  });

  test.each([
    [{ tolerance: 1 }, "tolerance is 1"],
    [{ tolerance: NaN }, "tolerance is NaN"],
    [{ timeLimit: 0 }, "timeLimit"],
    [{ memoryLimit: 1 }, "memoryLimit"],
    [{ mode: "strict" as "hendrycks" }, "mode"],
  ])("%j is refused", (options, option) => {
    expect(() => verifier(options)).toThrow(userError("invalid-option", option));
  });
});

describe("the mode of the MATH benchmark", () => {
  const { verify } = verifier({ mode: "hendrycks" });

  test.each([
    ["\\frac12", "\\dfrac{1}{2}", "correct"],
    ["1/2", "\\frac{1}{2}", "correct"],
    ["0.5", "\\frac{1}{2}", "correct"],
    ["\\sqrt3", "\\sqrt{3}", "correct"],
    ["x = 5", "5", "correct"],
    ["5\\text{ cm}", "5", "correct"],
    ["90^\\circ", "90", "correct"],
    ["\\left( 1,2 \\right)", "(1,2)", "correct"],
    ["10\\%", "10", "correct"],
    [".5", "\\frac{1}{2}", "correct"],
    ["0.25", "\\frac{1}{4}", "wrong"],
    ["1,000", "1000", "wrong"],
    ["1 + x", "x + 1", "wrong"],
    ["\\sqrt{12}", "2\\sqrt{3}", "wrong"],
  ])("finds %j against %j %s", async (answer, reference, verdict) => {
    expect(await verify({ response: boxed(answer), reference })).toEqual({ verdict, extracted: answer, by: "boxed" });
    expect((await verify({ response: boxed(answer), reference: boxed(reference) })).verdict).toBe(verdict);
  });

  test("knows boxed answers only", async () => {
    expect(await verify({ response: "#### 5", reference: "5" })).toEqual({ verdict: "unparsable" });
  });
});

test("the verdicts are those that rewards are made of", async () => {
  const verifications = await Promise.all(
    ["5", "6", "x^"].map((answer) => shared.verify({ response: boxed(answer), reference: "5" })),
  );
  const { rewards, counted } = outcomeRewards(
    verifications.map(({ verdict }) => verdict),
    { failed: "drop" },
  );
  expect([[...rewards], [...counted]]).toEqual([
    [1, 0, 0],
    [1, 1, 0],
  ]);
});
