import { readFileSync } from "node:fs";
import { afterAll, expect, test } from "@jest/globals";
import { verifier } from "../../../src/text/index.ts";

type Pairs = Record<string, [string, string][]>;
const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
const pairs = read("pairs.json") as { equal: Pairs; different: Pairs };
const { verify, close } = verifier();
afterAll(close);

/** A reference is taken to be true, so a false one is no test. */
function ways(kind: string, [a, b]: [string, string]): [string, string][] {
  return kind === "false chains"
    ? [[a, b]]
    : [
        [a, b],
        [b, a],
      ];
}

async function judgedOtherwise(kind: string, isEqual: boolean): Promise<string[]> {
  const other: string[] = [];
  for (const [answer, reference] of (isEqual ? pairs.equal : pairs.different)[kind]!.flatMap((pair) =>
    ways(kind, pair),
  )) {
    const { verdict } = await verify({ response: `\\boxed{${answer}}`, reference: `\\boxed{${reference}}` });
    if ((verdict === "correct") !== isEqual) other.push(`${answer} against ${reference}: ${verdict}`);
  }
  return other;
}

test.each(Object.keys(pairs.equal))("equal answers are right whichever side they stand on: %s", async (kind) => {
  expect(await judgedOtherwise(kind, true)).toEqual([]);
});

test.each(Object.keys(pairs.different))("different answers are not: %s", async (kind) => {
  expect(await judgedOtherwise(kind, false)).toEqual([]);
});

test("math-verify was asked about the same pairs", () => {
  const reference = read("math-verify.json") as { pairs: number; rightly: number; disagrees: unknown[] };
  const all = Object.values(pairs).flatMap((kinds) => Object.values(kinds).flat());
  expect(reference.pairs).toBe(all.length);
  expect(reference.rightly + reference.disagrees.length).toBe(all.length);
});
