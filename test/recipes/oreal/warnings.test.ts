import { describe, expect, test } from "@jest/globals";
import { warningWatch, type WarningFacts } from "../../../src/recipes/oreal/warnings.ts";

const sound: WarningFacts = {
  ...{ step: 7, keptResponses: 12, keptRight: 5, questionsAllWrong: 1, questionsAllRight: 1 },
  ...{ unparsable: 0, timeout: 0, unfinished: 0, weightMeanRight: 1, weightMeanWrong: 1 },
  responses: 40,
};

describe("warnings of an iteration", () => {
  test("are none where nothing is wrong, also before token weights have left 0", () => {
    expect(warningWatch()(sound)).toEqual([]);
    expect(warningWatch()({ ...sound, weightMeanRight: 0, weightMeanWrong: 0 })).toEqual([]);
  });

  test.each([
    [{ keptResponses: 0, keptRight: 0 }, /nothing was kept \(questions all wrong: 1, all right: 1\)/],
    [{ unparsable: 0.2, timeout: 0.1 }, /30 % of the responses could not be judged/],
    [{ unfinished: 0.5 }, /50 % of the responses ended at sampling.maxNewTokens/],
    [{ weightMeanRight: 0.001, weightMeanWrong: 0.5 }, /near 0 on right responses and not on wrong ones/],
    [{ lost: 3 }, /the server did not give 3 of 43 responses: they are left out, not wrong/],
    [{ mismatch: 0.7 }, /0\.70 nats from those computed here, per token: does it have the same model\?/],
    [{ weightMeanRight: 0.4, weightMeanWrong: 0 }, /near 0 on wrong responses and not on right ones/],
  ])("name %j once", (change, message) => {
    const watch = warningWatch();
    const [warning, ...others] = watch({ ...sound, ...change });
    expect(warning).toMatch(message);
    expect(warning).toMatch(/^In iteration 7 /);
    expect(others).toEqual([]);
    expect(watch({ ...sound, ...change, step: 8 })).toEqual([]);
  });

  test("name either loss that is no number, once", () => {
    const watch = warningWatch();
    const broken = { ...sound, loss: NaN, rewardLoss: Infinity };
    expect(watch(broken)).toEqual([
      { said: expect.stringMatching(/^At step 7 the loss is NaN/), since: 7 },
      { said: expect.stringMatching(/^At step 7 the loss is Infinity/), since: 7 },
    ]);
    expect(watch(broken)).toEqual([]);
  });
});
