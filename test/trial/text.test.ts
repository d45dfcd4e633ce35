import { describe, expect, test } from "@jest/globals";
import type { ArmSummary, TrialSummary } from "../../src/trial/summary.ts";
import { trialTable, verdictLines } from "../../src/trial/text.ts";

const none = { value: null, low: null, high: null };
const unknown = { areaUnderCurve: none, precision: none, recall: none, rows: 0 };
const against = (difference: number, low: number, high: number) => ({ difference, low, high, p: 0.01, lowerSeeds: 2 });

function arm(name: string, loss: number, more: Partial<ArmSummary> = {}): ArmSummary {
  const shown = { ratio: 0.9, lossOfSeeds: [loss, loss, loss], probability: 0.1, seconds: 3, extraRows: 0 };
  return { name, part: "candidate", loss, detection: unknown, ...shown, ...more };
}

const detection = { ...unknown, areaUnderCurve: { value: 0.64, low: 0.62, high: 0.67 } };
const differences = { againstFull: against(-0.0128, -0.0166, -0.009), againstRandom: against(-0.0141, -0.0179, -0.01) };
const summary: TrialSummary = {
  startLoss: 0.249,
  arms: [
    arm("full", 0.2093),
    arm("sstoken", 0.1964, { detection, extraRows: 100, ...differences }),
    arm("small-loss", 0.22, { againstFull: against(0.01, 0.005, 0.015), againstRandom: against(0.01, 0.005, 0.015) }),
  ],
  effects: [
    { name: "sstoken", effect: "helps" },
    { name: "small-loss", effect: "harms" },
  ],
  recommended: "sstoken",
};

describe("a trial's text", () => {
  test("has a row for the start and for each rule", () => {
    const [, start, full, ssToken] = trialTable(summary);
    expect(start!.join("|")).toBe("(start)||||0.2490|||");
    expect(full!.join("|")).toBe("full|–|–|–|0.2093|||3.0 s");
    expect(ssToken!.join("|")).toBe(
      "sstoken|0.64 [0.62, 0.67]|–|–|0.1964|-0.0128 [-0.0166, -0.0090]|-0.0141 [-0.0179, -0.0100]|3.0 s + 100 rows once",
    );
  });

  test("names what does harm, and recommends with both intervals", () => {
    const [harm, recommendation, ...more] = verdictLines(summary);
    expect(more).toEqual([]);
    expect(harm).toBe("small-loss does harm: +0.0100 [+0.0050, +0.0150] nats, more loss than full.");
    expect(recommendation).toContain("Recommended: sstoken at ratio 0.9.");
    expect(recommendation).toContain("-0.0141 [-0.0179, -0.0100] against random");
    expect(recommendation).toContain("lower on 2 of 3 seeds");
  });

  test("says where no rule helps, and where training itself does harm", () => {
    const others = { startLoss: 0.1, arms: summary.arms };
    const lines = verdictLines({ ...others, effects: [{ name: "sstoken", effect: "unclear" }] });
    expect(lines).toEqual([
      "Training on everything makes the model worse: held-out loss 0.1000 before, 0.2093 after.",
      "No rule helps here.",
    ]);
  });
});
