import { expect, test } from "@jest/globals";
import { random } from "../../src/selection/random.ts";
import { context, makeTokens } from "./tokens.ts";

test("keeps other tokens under another seed", () => {
  const rule = random({ ratio: 0.5 });
  const tokens = makeTokens(["PPPrrrrePPrrrrrre", "PPrrePPPrre"]);
  expect(rule.weigh(tokens, context({ seed: 2 }))).not.toEqual(rule.weigh(tokens, context({ seed: 1 })));
});

test("keeps every token equally often", () => {
  const rule = random({ ratio: 0.5 });
  const row = makeTokens(["rrrrrrrr"]);
  const kept = new Float64Array(8);
  for (let seed = 0; seed < 2000; seed++) rule.weigh(row, context({ seed })).forEach((w, t) => (kept[t]! += w));
  // 2000 draws at 1/2: standard deviation 22, so 5 of them stay within 112 of 1000.
  for (const times of kept) expect(Math.abs(times - 1000)).toBeLessThan(112);
});
