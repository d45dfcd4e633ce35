import { readFileSync } from "node:fs";
import { afterAll, expect, test } from "@jest/globals";
import { tableFromIPC } from "apache-arrow";
import { verifier } from "../../../src/text/index.ts";

const file = new URL("../../../datasets/word-problems/validation.arrow", import.meta.url);
const answers = [...tableFromIPC(readFileSync(file)).getChild("answer")!].map(String);
const numberOf = (answer: string): number => Number(/#### (-?\d+)$/.exec(answer)![1]);
const { verify, close } = verifier();
afterAll(close);

test("every shipped solution is right about its own problem", async () => {
  for (const answer of answers) expect((await verify({ response: answer, reference: answer })).verdict).toBe("correct");
});

test("a shipped solution is right about another problem exactly if the final numbers are equal", async () => {
  let right = 0;
  for (const [i, reference] of answers.entries()) {
    for (const response of [answers[(i + 1) % answers.length]!, answers[(7 * i + 3) % answers.length]!]) {
      const isRight = numberOf(response) === numberOf(reference);
      expect((await verify({ response, reference })).verdict).toBe(isRight ? "correct" : "wrong");
      right += Number(isRight);
    }
  }
  expect(right).toBeGreaterThan(0);
});

test("without a marked answer the last number of the steps counts", async () => {
  for (const reference of answers) {
    const response = reference.slice(0, reference.indexOf("####"));
    expect((await verify({ response, reference })).verdict).toBe("correct");
  }
});
