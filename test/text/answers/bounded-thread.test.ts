import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "@jest/globals";
import { mathsThread } from "../../../src/text/answers/bounded-thread.ts";
import { verifier } from "../../../src/text/index.ts";
import { bundledProgram } from "../../program.ts";
import { userError } from "../../user-error.ts";

/** Twelve sums of fractions with 27,000 and 42,000 bits: seconds of work. */
const slow = `(${Array.from({ length: 12 }, (_, i) => `1/3^{${17_000 + i}} + 1/7^{15000}`).join(", ")})`;
const twelve = `(${Array.from({ length: 12 }, (_, i) => i).join(", ")})`;
const boxed = (answer: string): string => `\\boxed{${answer}}`;

test("a comparison beyond its time ends as a timeout, and those behind it are judged", async () => {
  const { verify, close } = verifier({ timeLimit: 300 });
  const verdicts = await Promise.all([
    verify({ response: boxed(slow), reference: twelve }),
    verify({ response: boxed("2\\sqrt{4}"), reference: "4" }),
    verify({ response: boxed("8"), reference: "8" }),
  ]);
  expect(verdicts.map(({ verdict }) => verdict)).toEqual(["timeout", "correct", "correct"]);
  expect((await verify({ response: boxed("x + x"), reference: "2x" })).verdict).toBe("correct");
  await close();
});

test("no value that could fill the memory is computed", async () => {
  const { verify, close } = verifier({ timeLimit: 20_000 });
  const [huge, tower] = ["(2^{9999})^{9999}", "((2^{9999})^{9999})^{9999}"];
  const products = Array.from({ length: 20 }, () => huge).join("\\cdot ");
  for (const answer of [huge, tower, products, `1/${huge} + 3^{-99999999}`, "2^{2^{2^{2^{2^2}}}}", "9^{999999999}"])
    expect((await verify({ response: boxed(answer), reference: "7" })).verdict).toMatch(/^(unparsable|wrong)$/);
  await close();
});

describe("the thread evaluates nothing but arithmetic", () => {
  const thread = mathsThread({ timeLimit: 5000, memoryLimit: 64 });
  afterAll(() => thread.close());

  test.each([
    "import(1)",
    'evaluate("1")',
    "parse(1)",
    "createUnit(1)",
    "factorial(3)",
    "ones(2)",
    "[1, 2]",
    "{a: 1}",
    '"text"',
    "f(v_x) = 1",
    "v_x = 1",
    "1; 2",
    "v_x.constructor",
    'cos.constructor("return 1")',
    "constructor",
    "__proto__",
    "1 cm",
    "5!",
    "true",
    "1 == 1",
    "1:3",
  ])("%s is unknown", async (left) => {
    const [hostile, harmless] = (await thread.compare(
      [left, "sqrt(4)"].map((text) => ({
        left: text,
        right: text,
        tolerance: 0,
        proportional: false,
      })),
    )) as string[];
    expect([hostile, harmless]).toEqual(["unknown", "equal"]);
  });
});

test("a closed verifier judges no more expressions, and closing it twice does no harm", async () => {
  const { verify, close } = verifier();
  await close();
  await close();
  await expect(verify({ response: boxed("\\sqrt{4}"), reference: "2" })).rejects.toThrow(userError("closed"));
});

test("closing ends a comparison under way", async () => {
  const { verify, close } = verifier({ timeLimit: 60_000 });
  const judged = expect(verify({ response: boxed(slow), reference: twelve })).rejects.toThrow(userError("closed"));
  await close();
  await judged;
});

test("a verifier that nobody closes judges on, and lets the process end", async () => {
  const text = `
    import { verifier } from "./src/text/answers/verifier.ts";
    const { verdict } = await verifier().verify({ response: "\\\\boxed{\\\\sqrt{4}}", reference: "2" });
    console.log(verdict);`;
  const args = [await bundledProgram({ text })];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    timeout: 30_000,
  });
  expect(stdout).toBe("correct\n");
});
