import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFrom, namesOf } from "../../src/config/catalogue.ts";
import { advantages, chooseResponses, rewards } from "../../src/reward/index.ts";
import { closenessReward } from "../../src/reward/rewards/closeness.ts";
import { formatReward } from "../../src/reward/rewards/format.ts";
import { judgeReward } from "../../src/reward/rewards/judge.ts";
import { lengthReward } from "../../src/reward/rewards/length.ts";
import { rewardSum } from "../../src/reward/reward-sum.ts";
import { groupsOf, rightResponses } from "../../src/reward/outcomes.ts";
import { threadReward } from "../../src/reward/own-thread.ts";
import type { RewardedResponse } from "../../src/reward/reward.ts";
import { userError } from "../user-error.ts";

const response = (text: string, facts: Partial<RewardedResponse> = {}): RewardedResponse => ({
  ...{ rowId: 0, question: "2 x 3?", text, reference: "6" },
  ...{ tokens: text.length, right: text.endsWith("6"), outcome: Number(text.endsWith("6")) },
  ...facts,
});
const group = [response("6"), response("It is 6"), response("It is 5, I think"), response("5")];

/** By the catalogue, but for a judge, who is asked here. */
const made = (method: string, options: object = {}) =>
  method === "judge"
    ? judgeReward(options, { ask: async (prompt) => `Grade: ${prompt.length % 10}` })
    : createFrom(rewards, { method, ...options });

describe.each(namesOf(rewards))("the reward %s", (method) => {
  test("is named as in the catalogue, and gives each response a finite number, whatever its weight", async () => {
    const reward = made(method, { weight: -2 });
    expect(reward.name).toBe(method);
    const scores = Array.from(await reward.score(group));
    expect(scores).toHaveLength(group.length);
    expect(scores.every(Number.isFinite)).toBe(true);
    expect(Array.from(await made(method).score(group))).toEqual(scores);
    expect(Array.from(await reward.score([group[1]!]))).toHaveLength(1);
  });
});

describe("the format reward", () => {
  test("wants the whole response or a part of it", () => {
    expect(formatReward({ pattern: "\\d" }).score(group)).toEqual([1, 0, 0, 1]);
    expect(formatReward({ pattern: "\\d", match: "anywhere" }).score(group)).toEqual([1, 1, 1, 1]);
    expect(formatReward({ pattern: "5|It is 6" }).score(group)).toEqual([0, 1, 0, 1]); // either alternative whole
    const thinks = ["<think>\n2, 3\n</think>\n6", "<think>6", "<think></think> \n", "6"].map((text) => response(text));
    expect(formatReward().score(thinks)).toEqual([1, 0, 0, 0]);
  });

  test("takes time that grows with the response alone", () => {
    const long = response(`${"a".repeat(20_000)}!`);
    const start = performance.now();
    expect(formatReward({ pattern: "(a*)*b" }).score([long])).toEqual([0]); // a backtracking engine would never end
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test.each(["(", "(a)\\1", "a{2,1}"])("refuses the pattern %s", (pattern) => {
    expect(() => formatReward({ pattern })).toThrow(userError("invalid-option", "pattern"));
  });
});

describe("the closeness reward", () => {
  test.each([
    ["#### 6", 1],
    ["It is 9", 0.5],
    ["about 4.5 tokens", 0.75],
    ["\\boxed{12}", 0],
    ["-6", 0],
    ["600", 0],
    ["I do not know", 0],
    ["", 0],
  ])("gives %j %p where 6 is right", (text, reward) => {
    expect(closenessReward().score([response(text)])).toEqual([reward]);
  });

  test("knows zero and negative numbers, and refuses a reference without a number", () => {
    const zero = [response("0", { reference: "0" }), response("0.1", { reference: "#### 0" })];
    expect(closenessReward().score(zero)).toEqual([1, 0]);
    expect(closenessReward().score([response("-3", { reference: "-4" })])).toEqual([0.75]);
    expect(() => closenessReward().score([response("3", { reference: "blue" })])).toThrow(
      userError("reward-failed", "row 0"),
    );
  });
});

describe("the judge", () => {
  const asked: string[] = [];
  const notes: string[] = [];
  const judge = (replies: readonly string[], options: object = {}) => {
    let next = 0;
    const ask = async (prompt: string): Promise<string> => {
      asked.push(prompt);
      return replies[next++]!;
    };
    return judgeReward(options, { ask, note: (sentence) => notes.push(sentence) });
  };

  test("is shown question, reference and response as they are, and its grades become 0 to 1", async () => {
    const tricky = response("{reference} $& {question}");
    const prompt = "Q {question} R {reference} A {response} {lowest}-{highest} {other}";
    expect(await judge(["Grade: 3"], { prompt, scale: [1, 5] }).score([tricky])).toEqual([0.5]);
    expect(asked.at(-1)).toBe("Q 2 x 3? R 6 A {reference} $& {question} 1-5 {other}");
    await judge(["1"]).score([group[0]!]);
    for (const part of ["2 x 3?", "Reference answer:\n6", "Answer to be graded:\n6"])
      expect(asked.at(-1)).toContain(part);
  });

  test.each([
    ["Grade: 7", 0.7],
    ["It says 6 twice.\nGrade: 2\nNo: **Grade:** 8.5", 0.85],
    ["rating = 10", 1],
    [" 4 ", 0.4],
    ["4/10", 0.4],
    ["Score (0-10): 6", 0.6],
    ["Rating: [[7]].", 0.7],
    ["Grade: 7-8", undefined],
    ["Grades go from 0 to 10.", undefined],
    ["Grade: 11", undefined],
    ["Grade: -1", undefined],
    ["Grade: 99999999999999999999", undefined],
    ["I cannot tell, 3 of 4 steps are right.", undefined],
    ["", undefined],
  ])("reads %j as %p", async (reply, grade) => {
    const before = notes.length;
    expect(await judge([reply]).score([group[0]!])).toEqual([grade ?? 0]);
    expect(notes.length - before).toBe(grade === undefined ? 1 : 0);
    if (grade === undefined)
      await expect(judge([reply], { unclear: "stop" }).score([group[0]!])).rejects.toThrow(
        userError("reward-failed", "row 0"),
      );
  });

  test("says once that replies have no grade", async () => {
    const before = notes.length;
    expect(await judge(["?", "Grade: 5", "", "?"]).score(group)).toEqual([0, 0.5, 0, 0]);
    expect(notes.slice(before)).toEqual([expect.stringContaining("row 0")]);
  });

  test.each([
    [{ scale: [5, 5] }, "scale"],
    [{ prompt: "Grade it." }, "prompt"],
  ])("refuses %j", (options, where) => {
    expect(() => judge([], options)).toThrow(userError("invalid-option", where));
  });
});

describe("the length reward", () => {
  test("compares the responses to a question, and never rewards a wrong one", () => {
    // lengths 1, 7, 16, 1: lambda = .5 - (T - 1) / 15
    expect(lengthReward().score(group)).toEqual([0.5, 0.5 - 6 / 15, -0.5, 0]);
    expect(lengthReward().score([group[0]!, group[3]!])).toEqual([0, 0]); // all as long
  });

  test("punishes what is too long, on a straight line", () => {
    const lengths = [3, 4, 5, 8, 9].map((tokens) => response("6", { tokens }));
    expect(lengthReward({ form: "overlong", from: 4, to: 8 }).score(lengths)).toEqual([0, 0, -0.25, -1, -1]);
  });

  test("refuses limits in the wrong order", () => {
    expect(() => lengthReward({ form: "overlong", from: 8, to: 8 })).toThrow(userError("invalid-option", "from"));
  });
});

test("a sum of rewards shows each reward one question's responses at a time", async () => {
  const seen: number[] = [];
  const counting = {
    name: "count",
    score: (of: readonly RewardedResponse[]) => of.map(() => (seen.push(of.length), 2)),
  };
  const others = group.map((one) => ({ ...one, rowId: 9 }));
  const mixed = [group[0]!, others[0]!, group[1]!, others[1]!, group[2]!];
  const { rewards: sum, parts } = await rewardSum(
    [
      { reward: counting, weight: -1 },
      { reward: lengthReward(), weight: 10 },
    ],
    mixed,
  );
  expect(seen).toEqual([3, 3, 3, 2, 2]);
  expect(Array.from(parts[1]!)).toEqual([0.5, 0.5, 0.5 - 6 / 15, -0.5, -0.5]);
  expect(Array.from(sum)).toEqual(Array.from(parts[1]!, (part) => -2 + 10 * part));
});

test("a reward that is no finite number is refused with row and response", async () => {
  const broken = { name: "mine", score: () => [1, Number.NaN] };
  const sum = rewardSum([{ reward: broken, weight: 1 }], [response("6", { rowId: 3 }), response("5", { rowId: 3 })]);
  await expect(sum).rejects.toThrow(userError("reward-failed", 'row 3, response "5"'));
});

describe("real rewards", () => {
  const groups = [0, 0, 0, 7, 7];
  const values = [3, -1, 0.5, 2, 2]; // means 5/6 and 2

  test("are right above the mean of their group, or where that is said", () => {
    const outcomes = { groups, rewards: values, range: "real" } as const;
    expect(Array.from(rightResponses(outcomes))).toEqual([1, 0, 0, 0, 0]);
    expect(groupsOf(outcomes).map(({ passRate }) => passRate)).toEqual([1 / 3, 0]);
    const { questions } = chooseResponses(outcomes, { keep: "all", seed: 1, iteration: 0 });
    expect(questions).toEqual({ kept: 1, allWrong: 1, allRight: 0, surplus: 0 }); // equal rewards tell nothing apart
    const said = { ...outcomes, right: [1, 1, 0, 0, 1] };
    expect(Array.from(rightResponses(said))).toEqual([1, 1, 0, 0, 1]);
    expect(groupsOf(said).map(({ passRate }) => passRate)).toEqual([2 / 3, 1 / 2]);
  });

  test("have advantages as others have", () => {
    const outcomes = { groups, rewards: values, range: "real" } as const;
    const rloo = [3 - (-1 + 0.5) / 2, -1 - (3 + 0.5) / 2, 0.5 - (3 - 1) / 2, 0, 0];
    Array.from(advantages(outcomes, { estimator: "rloo" })).forEach((a, k) => expect(a).toBeCloseTo(rloo[k]!, 12));
    expect(advantages(outcomes, { estimator: "one-minus-p" })[1]).toBeCloseTo(-(1 - 1 / 3), 12);
  });

  test("must be finite, and of known groups", () => {
    expect(() => groupsOf({ groups: [0], rewards: [Number.NaN], range: "real" })).toThrow(userError("out-of-range"));
    expect(() => rightResponses({ rewards: [1], range: "real" })).toThrow(userError("missing-option"));
    expect(() => groupsOf({ groups: [0], rewards: [1], range: "real", right: [1, 1] })).toThrow(
      userError("wrong-shape"),
    );
  });
});

describe("a reward of the user's own", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "tokensift-rewards-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const own = (content: string, { options = {}, timeLimit = 5000 } = {}) => {
    const path = join(folder, "mine.mjs");
    writeFileSync(path, content);
    return threadReward({ path, name: "mine", options, timeLimit });
  };

  test("sees question, response and reference, and may take its time", async () => {
    const reward = own(
      `export const createReward = ({ per }) => async (question, response, reference) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        return question.length * 100 + response.length / per + Number(response.endsWith(reference));
      };`,
      { options: { per: 2 } },
    );
    try {
      expect(await reward.score(group)).toEqual([601.5, 604.5, 608, 600.5]);
    } finally {
      await reward.close!();
    }
  });

  // one process, a function that fails in another way for each response
  const failing = `export const reward = (question, response) => {
    if (response === "throw") throw new TypeError("no such word");
    if (response === "forever") for (;;);
    return { none: undefined, nan: NaN, text: "1" }[response];
  };`;
  test.each([
    ["throw", "threw TypeError: no such word"],
    ["none", "returned undefined, which is not a finite number"],
    ["nan", "returned NaN, which is not a finite number"],
    ["text", 'returned "1", which is not a finite number'],
    ["forever", "took longer than 200 ms (timeLimit)"],
  ])("that fails (%s) is named with row and response", async (text, what) => {
    const reward = own(failing, { timeLimit: 200 });
    const failed = async () => reward.score([response(text, { rowId: 12 })]);
    const named = new RegExp(`mine\\.mjs: row 12, response "${text}": .*${what.replace(/[()]/g, "\\$&")}`);
    await expect(failed()).rejects.toThrow(userError("reward-failed", named));
  });
});
