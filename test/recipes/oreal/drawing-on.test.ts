import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArrow } from "../../../src/data/arrow/read.ts";
import type { Question } from "../../../src/recipes/kit/responses/index.ts";
import { questionsOfIteration, questionsOfRound } from "../../../src/recipes/oreal/question-order.ts";
import { joinRewarded, withGreedy } from "../../../src/recipes/oreal/rewards.ts";
import { metricsOf, runHere, storedOf, type Metrics } from "./run.ts";
import { orealResults, writeOreal } from "./small-run.ts";

describe("the questions of further rounds", () => {
  const questions = Array.from({ length: 11 }, (_, rowId): Question => ({ rowId, prompt: [1], reference: "1" }));
  const rounds = (iteration: number, list = questions) =>
    [0, 1, 2, 3].map((round) => questionsOfRound(list, 3, { seed: 2, iteration, round }));

  test("are all that there are, none twice, whatever the order of iterations", () => {
    const [first, ...others] = rounds(4);
    expect(first).toEqual(questionsOfIteration(questions, 3, { seed: 2, iteration: 4 }));
    expect([first!, ...others].map((list) => list.length)).toEqual([3, 3, 3, 2]);
    expect(new Set([first!, ...others].flat())).toEqual(new Set(questions));
    expect(rounds(4)).toEqual([first, ...others]);
    expect(rounds(5)[1]).not.toEqual(others[0]);
  });

  test("are none twice either where an epoch asks some several times", () => {
    const repeated = [...questions, ...questions.slice(0, 4)];
    expect(rounds(1, repeated).flat()).toHaveLength(11);
  });
});

describe("a run that draws on, beside greedy answers", () => {
  let base: string;
  let first: { output: string; metrics: Metrics[] };
  const set = [
    ...["objective.advantage=greedy", "objective.keep=all", "objective.weights.source=none", "sampling.dynamic={}"],
    ...["training.iterations=2", "compare=[]"],
  ];
  beforeAll(async () => {
    base = mkdtempSync(join(tmpdir(), "tokensift-drawing-on-"));
    const { output } = await runHere(writeOreal(join(base, "first")), { set });
    first = { output, metrics: metricsOf(output) };
  });
  afterAll(() => rmSync(base, { recursive: true }));

  const greedyOf = (iteration: number) => {
    const table = openArrow(join(first.output, `trajectories/greedy-${iteration}.arrow`));
    const rows = Array.from({ length: table.rows }, (_, i) => table.row(i, ["question", "verdict"]));
    table.close();
    return rows as { question: number; verdict: string }[];
  };

  test("learns from as many questions as are asked for, and asks no more rounds than it needs", () => {
    const asked = first.metrics.map(({ questionsKept, questionsAllWrong, questionsAllRight, questionsSurplus }) => {
      expect(questionsKept).toBe(5);
      return 5 + questionsAllWrong! + questionsAllRight! + questionsSurplus!;
    });
    expect(Math.max(...asked)).toBeGreaterThan(5); // one round is not enough
    for (const [i, questions] of asked.entries()) {
      const rows = storedOf(first.output, i + 1);
      expect(new Set(rows.map(({ question }) => question)).size).toBe(questions);
      expect(rows).toHaveLength(4 * questions);
      const lastRound = [...new Set(rows.map(({ question }) => question))].slice(-5);
      const before = rows.filter(({ question, kept }) => kept && !lastRound.includes(question));
      expect(new Set(before.map(({ question }) => question)).size).toBeLessThan(5);
    }
  });

  test("takes each answer's advantage from the greedy answer to its question", () => {
    const greedy = new Map(greedyOf(1).map(({ question, verdict }) => [question, Number(verdict === "correct")]));
    const rows = storedOf(first.output, 1);
    expect([...greedy.keys()]).toEqual([...new Set(rows.map(({ question }) => question))]);
    for (const { question, reward, advantage } of rows) expect(advantage).toBe(reward - greedy.get(question)!);
    const mean = [...greedy.values()].reduce((a, b) => a + b, 0) / greedy.size;
    expect(first.metrics[0]!["greedyReward"]).toBeCloseTo(mean, 12);
  });

  test("is replayed to the byte, and goes on to the byte after it was stopped in between", async () => {
    const expected = orealResults(first.output);
    expect(readdirSync(join(first.output, "trajectories"))).toContain("greedy-2.arrow");
    const replayed = await runHere(writeOreal(join(base, "again")), {
      set: [...set, `sampling.replay=${first.output}`],
    });
    expect(orealResults(replayed.output)).toEqual(expected);
    const path = writeOreal(join(base, "stopped"), { training: { saveEvery: 1 } });
    const stop = runHere(path, {
      set,
      afterIteration() {
        throw new Error("killed");
      },
    });
    await expect(stop).rejects.toThrow("killed");
    const { output } = await runHere(path, { set, mode: "resume" });
    expect(orealResults(output)).toEqual(expected);
  });

  test("cannot be replayed without its greedy answers", async () => {
    const plain = writeOreal(join(base, "plain"));
    const { output } = await runHere(plain, {
      set: ["training.iterations=1", "training.policyFreeze=0", "compare=[]"],
    });
    const again = runHere(writeOreal(join(base, "wanting")), { set: [...set, `sampling.replay=${output}`] });
    await expect(again).rejects.toThrow(/greedy-1\.arrow: there are no stored greedy responses/);
  });
});

describe("rounds and greedy answers", () => {
  const judged = (rowId: number, verdict: "correct" | "wrong") => ({
    ...{ rowId, sample: 0, prompt: [1], ids: [2], finished: true, text: "", answer: null, verdict },
  });
  const round = (rowId: number, rewards: number[]) => ({
    iteration: 0,
    responses: rewards.map((reward) => judged(rowId, reward > 0 ? "correct" : "wrong")),
    outcomes: { groups: rewards.map(() => rowId), rewards, range: "zero-one" as const, greedyRewards: rewards },
    parts: [{ name: "verifier", values: Float64Array.from(rewards) }],
  });

  test("are joined entry by entry", () => {
    const { responses, outcomes, parts } = joinRewarded(round(3, [1, 0]), round(7, [0, 1]));
    expect(responses.map(({ rowId }) => rowId)).toEqual([3, 3, 7, 7]);
    expect(outcomes).toEqual({
      ...{ groups: [3, 3, 7, 7], rewards: [1, 0, 0, 1], greedyRewards: [1, 0, 0, 1], range: "zero-one" },
    });
    expect(Array.from(parts![0]!.values)).toEqual([1, 0, 0, 1]);
  });

  test("of a question without a greedy answer do not count", () => {
    const { outcomes } = joinRewarded(round(3, [1, 0]), round(7, [0, 1]));
    const theirs = { outcomes: { groups: [7], rewards: [1], range: "zero-one" as const } };
    const { counted, greedyRewards } = withGreedy(outcomes, [judged(7, "correct")], theirs);
    expect([counted, greedyRewards]).toEqual([
      [0, 0, 1, 1],
      [0, 0, 1, 1],
    ]);
  });
});
