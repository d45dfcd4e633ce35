import { expect, test } from "@jest/globals";
import { optionLines, resolvedOptions } from "../../src/config/resolved-options.ts";
import { rules } from "../../src/selection/catalogue.ts";
import { resolveSsToken } from "../../src/selection/sstoken-options.ts";

test.each(["recommended", "paper", "released"] as const)("are what ssToken takes under %s", (preset) => {
  const { warmup, history, ...settings } = resolveSsToken({ preset, gamma: 0.25 });
  expect(resolvedOptions(rules, { method: "sstoken", preset, gamma: 0.25 })).toEqual({
    ...{ preset, ...settings },
    "warmup.samples": warmup.samples,
    "warmup.trains": warmup.trains,
    "history.source": history.source,
    "history.decay": history.decay,
  });
});

test("of every rule are options that it takes, and given ones win", () => {
  for (const { name, options } of rules.entries) {
    const resolved = resolvedOptions(rules, { method: name });
    for (const key of Object.keys(resolved)) expect(["preset", ...Object.keys(options)]).toContain(key.split(".")[0]);
  }
  expect(resolvedOptions(rules, { method: "loss-top", ratio: 0.25 })).toMatchObject({ ratio: 0.25, scope: "response" });
});

test("stand in a line for each arm, with the method where the arm has another name", () => {
  const arms = [
    { name: "full", choice: { method: "full" } },
    { name: "few", choice: { method: "random", ratio: 0.1 } },
    { name: "mine", choice: { method: "./mine.ts", share: 0.5 } },
  ];
  const [full, few, mine] = optionLines(rules, arms, ["rounding"]);
  expect(full).toMatch(/^ {2}full: /);
  expect(few).toMatch(/^ {2}few: random, ratio 0\.1, /);
  expect(few).not.toContain("rounding");
  expect(mine).toBe("  mine: ./mine.ts, share 0.5");
});
