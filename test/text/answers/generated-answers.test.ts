import { expect, test } from "@jest/globals";
import { verifier, type VerifierOptions } from "../../../src/text/index.ts";
import { generatedAnswer } from "./generated-answers.ts";

type Failure = Parameters<NonNullable<VerifierOptions["onFailure"]>>;

test("three thousand generated answers have a verdict, and none is a failure", async () => {
  const failures: Failure[] = [];
  const { verify, close } = verifier({ onFailure: (...failure) => failures.push(failure) });
  const inputs = Array.from({ length: 3000 }, (_, at) => generatedAnswer(2, at));
  const verdicts = new Set((await Promise.all(inputs.map((input) => verify(input)))).map(({ verdict }) => verdict));
  await close();
  expect(failures).toEqual([]);
  expect([...verdicts].toSorted()).toEqual(["correct", "unparsable", "wrong"]);
});

test("a failure of the verifier is one unparsable answer, told with its text", async () => {
  const failures: Failure[] = [];
  const { verify, close } = verifier({ onFailure: (...failure) => failures.push(failure) });
  // No text at all: the nearest to a bug that an input can be.
  const broken = { response: 5 as unknown as string, reference: "5" };
  expect(await verify(broken)).toEqual({ verdict: "unparsable" });
  expect(failures).toEqual([[broken, expect.any(TypeError)]]);
  expect((await verify({ response: "5", reference: "5" })).verdict).toBe("correct");
  await close();
});
