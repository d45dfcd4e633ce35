import { describe, expect, test } from "@jest/globals";
import { loadConfig } from "../../src/config/index.ts";
import type { Signal, TokenRule } from "../../src/contract/index.ts";
import { finetuneRecipe, ssTokenRecipe } from "../../src/recipes/finetune/recipe.ts";
import { ruleOf } from "../../src/recipes/finetune/rules.ts";
import { trialArms } from "../../src/trial/arms.ts";
import { selectionText } from "../../src/trial/text.ts";
import { temporaryFolder } from "../cli/run.ts";

const folder = temporaryFolder();
folder.write("rows.jsonl", "{}\n");
folder.write("config.json", "{}\n");
const base = "model: .\ndata: { train: rows.jsonl }\n";

/** What a rule makes of one response of eight tokens, in its warm-up and behind it. */
function chosen(rule: TokenRule): number[][] {
  const width = 9;
  const response = Uint8Array.from({ length: width }, (_, t) => Number(t > 0));
  const endOfTurn = Uint8Array.from({ length: width }, (_, t) => Number(t === width - 1));
  const signal = (step: number) => Float32Array.from({ length: width }, (_, t) => ((t * step) % 11) / 11);
  const signals = { nll: signal(5), historyNll: signal(3), promptAttention: signal(7) } as Record<Signal, Float32Array>;
  const tokens = { rows: 1, width, rowIds: Float64Array.of(0), endOfTurn, response, signals };
  return [0, 1000].map((samplesSeen) => [
    ...rule.weigh(tokens, { step: 0, samplesSeen, uniform: () => 0.5 } as Parameters<TokenRule["weigh"]>[1]),
  ]);
}

describe("the YAML of a recommended rule", () => {
  const candidates = [true, false].flatMap((keepEndOfTurn) =>
    trialArms({ ratio: 0.58, warmupRows: 320, keepEndOfTurn }).filter(({ part }) => part === "candidate"),
  );

  test.each(candidates)("is $name as the trial ran it, in a configuration of either recipe", async (arm) => {
    const { selection, rule } = arm;
    const yaml = selectionText({ selection }).replace(/^[^]*?(?=selection:)/, "");
    for (const { config: definition } of [ssTokenRecipe, finetuneRecipe]) {
      const { config } = loadConfig(definition, folder.write("run.yaml", base + yaml));
      const loaded = await ruleOf(config.selection, config);
      const told = (each: TokenRule) => JSON.stringify({ ...each, score: undefined }); // settings, budget, needs, division
      expect(told(loaded)).toBe(told(rule));
      expect(chosen(loaded)).toEqual(chosen(rule));
    }
  });

  test("says what its warm-up is, and is absent where no rule helps", () => {
    const [sstoken, , smallLoss] = candidates;
    expect(selectionText(sstoken!)).toContain("warmup.samples is a fifth of the rows");
    expect(selectionText(smallLoss!)).not.toContain("warmup");
    expect(selectionText({})).toBe("");
  });
});
