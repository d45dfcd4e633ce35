import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { loadModel } from "../../../src/model/index.ts";
import { isAdapted } from "../../../src/model/adapters/with-adapter.ts";
import { loadTokenRewardModel } from "../../../src/reward/model/index.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { readTensors } from "../../model/reference.ts";
import { userError } from "../../user-error.ts";
import { orealResults, writeOreal } from "./small-run.ts";
import { linesOf, smallSolver } from "../small-run.ts";
import { wholeRun, type WholeRun } from "../whole-run.ts";
import { metricsOf, runHere, storedOf, type Stored } from "./run.ts";

jest.setTimeout(300_000); // whole runs, on a machine that may be busy

let base: string;
let whole: WholeRun;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-oreal-"));
  whole = await wholeRun("oreal");
  await useEngine("cpu", { threads: 1 });
}, 300_000);
afterAll(() => {
  releaseEngine();
  rmSync(base, { recursive: true });
});

const armsOf = (output: string) => [orealResults(output), orealResults(join(output, "rloo"))];
const sorted = (weights: Float32Array | null) => weights?.toSorted();

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;

/** Responses by question. */
function groups(rows: readonly Stored[]): Stored[][] {
  const found = new Map<number, Stored[]>();
  for (const row of rows) found.set(row.question, [...(found.get(row.question) ?? []), row]);
  return [...found.values()];
}

describe("a run of OREAL", () => {
  test("leaves trajectories, metrics, models, a reward model and a table of all arms", async () => {
    expect(metricsOf(whole.output)).toHaveLength(3);
    expect(storedOf(whole.output, 3)).toHaveLength(20);
    const table = readFileSync(join(whole.output, "table.txt"), "utf8");
    expect(table.split("\n").map((line) => line.split(" ")[0])).toEqual(["arm", "(start)", "oreal", "rloo", ""]);
    const trunk = await loadModel(smallSolver);
    const reward = await loadTokenRewardModel(join(whole.output, "reward-model"), trunk);
    expect(isAdapted(reward.decoder)).toBe(true);
    expect(reward.scoreAt).toBe("token"); // as the paper's weights read it
    expect(existsSync(join(whole.output, "rloo/reward-model"))).toBe(false);
    reward.dispose();
    trunk.dispose();
  });

  test("keeps responses only of questions that have right and wrong ones, and none of the others", () => {
    const all = [1, 2, 3].flatMap((iteration) => groups(storedOf(whole.output, iteration)));
    const mixed = (group: Stored[]) => new Set(group.map(({ verdict }) => verdict === "correct")).size === 2;
    expect(new Set(all.map(mixed))).toEqual(new Set([true, false])); // both kinds occur
    for (const group of all) for (const { kept } of group) expect(kept).toBe(mixed(group));
    const [{ questionsKept, questionsAllWrong, questionsAllRight }] = metricsOf(whole.output) as [
      Record<string, number>,
    ];
    expect(questionsKept! + questionsAllWrong! + questionsAllRight!).toBe(5);
  });

  test("takes advantages from whole groups", () => {
    for (const group of groups(storedOf(whole.output, 1))) {
      const passRate = group.filter(({ verdict }) => verdict === "correct").length / 4;
      for (const { verdict, advantage, reward } of group) {
        expect(reward).toBe(verdict === "correct" ? 1 : 0);
        expect(advantage).toBe(verdict === "correct" ? 1 : passRate - 1);
      }
    }
  });

  test("starts with token weights 0, which the reward model's first steps change", () => {
    const [first, second] = metricsOf(whole.output);
    expect([first!["weightMean"], first!["weightsAboveZero"], first!["rewardProbability"]]).toEqual([0, 0, 0.5]);
    expect(first!["rewardLoss"]).toBeCloseTo(Math.log(2), 6);
    expect(second!["weightsAboveZero"]).toBeGreaterThan(0.1);
    const share = second!["keptTokens"]! > 0 ? [second!["weightMeanRight"]!, second!["weightMeanWrong"]!] : [];
    expect(second!["weightMean"]).toBeGreaterThan(Math.min(...share));
    expect(second!["weightMean"]).toBeLessThan(Math.max(...share));
    expect(first!["learningRate"]).toBe(0); // the policy is frozen
    expect(second!["learningRate"]).toBeGreaterThan(0);
  });

  test("stores log-probabilities of kept responses from the whole distribution, with truncated sampling too", async () => {
    const set = [
      "sampling.topP=0.6",
      "sampling.topK=3",
      "training.iterations=1",
      "training.policyFreeze=0",
      "compare=[]",
    ];
    // unsure enough that some of these answers are right and some wrong
    const config = writeOreal(join(base, "truncated"), { top: { model: resolve("models/tiny") } });
    const { output } = await runHere(config, { set });
    const rows = storedOf(output, 1).filter(({ kept }) => kept);
    expect(rows.length).toBeGreaterThan(0);
    for (const { log_probs, response_ids } of rows) expect(log_probs).toHaveLength(response_ids.length);
    // of the truncated distribution the likeliest token would often be certain
    expect(rows.every(({ log_probs }) => log_probs!.every((value) => value < 0))).toBe(true);
  });

  test("draws the same responses whatever the number drawn at once", async () => {
    const set = ["sampling.batchSize=5", "training.iterations=1", "training.policyFreeze=0", "compare=[]"];
    const { output } = await runHere(writeOreal(join(base, "batches")), { set });
    expect(storedOf(output, 1).map(({ response_ids }) => response_ids)).toEqual(
      storedOf(whole.output, 1).map(({ response_ids }) => response_ids),
    );
  });

  test("asked to stop while its first responses are drawn, stops there and goes on to the same bytes", async () => {
    const path = writeOreal(join(base, "early"));
    const interrupted = (): boolean => linesOf(join(base, "early/out/evaluation.jsonl")) === 1; // the starting model's
    const set = ["compare=[]"];
    await expect(runHere(path, { set, interrupted })).rejects.toThrow(
      "Stopped after iteration 0 of 3; the state is saved.",
    );
    expect(linesOf(join(base, "early/out/metrics.jsonl"))).toBe(0);
    const { output } = await runHere(path, { mode: "resume", set });
    expect(orealResults(output)).toEqual(orealResults(whole.output));
  });

  test("learns from stored responses what it learnt when it drew them, in every arm, and frees all tensors", async () => {
    const set = [`sampling.replay=${whole.output}`];
    const { output, tensors } = await runHere(writeOreal(join(base, "replayed")), { set });
    expect(armsOf(output)).toEqual(armsOf(whole.output));
    expect(tensors).toBe(0);
  });

  test("replays responses under another objective, and says where there are none left", async () => {
    const path = writeOreal(join(base, "other"));
    const set = [`sampling.replay=${whole.output}`, "objective.keep=pair", "objective.advantage=rloo", "compare=[]"];
    const { output } = await runHere(path, { set });
    for (let iteration = 1; iteration <= 3; iteration++) {
      const [ours, theirs] = [storedOf(output, iteration), storedOf(whole.output, iteration)];
      expect(ours.map(({ response_ids }) => response_ids)).toEqual(theirs.map(({ response_ids }) => response_ids));
      for (const group of groups(ours)) expect([0, 2]).toContain(group.filter(({ kept }) => kept).length);
    }
    const more = runHere(writeOreal(join(base, "longer")), { set: [...set, "training.iterations=4"] });
    await expect(more).rejects.toThrow(userError("missing-file", "iteration-4.arrow"));
    const none = runHere(writeOreal(join(base, "none")), { set: ["sampling.replay=models"] });
    await expect(none).rejects.toThrow(userError("no-run", "models: "));
  });

  test("adds up the rewards that it is given, and goes on where the user's own had failed", async () => {
    const folder = join(base, "rewarded");
    const rewards = [
      { method: "verifier", weight: 2 },
      { method: "./words.mjs", weight: -0.1, from: 0 },
      { method: "format", pattern: "\\d+", match: "anywhere", weight: 0.5 },
    ];
    const changes = { objective: { advantage: "rloo", keep: "none", weights: { source: "none" } } };
    const path = writeOreal(folder, { ...changes, top: { rewards, compare: [] } });
    const set = [`sampling.replay=${whole.output}`, "training.saveEvery=0"];
    const own = (wordy: string) =>
      writeFileSync(
        join(folder, "words.mjs"),
        `export const createReward = ({ from }) => async (question, response) => response.split(" ").length - from - ${wordy};`,
      );
    own("missing.length"); // not defined
    const failed = runHere(path, { set });
    await expect(failed).rejects.toThrow(userError("reward-failed", /words\.mjs: row \d+, response ".*missing/));
    own("0");
    const { output } = await runHere(path, { set });
    const stored = storedOf(output, 2);
    for (const { reward, rewards, verdict, text } of stored) {
      const [verified, words, format] = [
        verdict === "correct" ? 1 : 0,
        text.split(" ").length,
        Number(/\d/.test(text)),
      ];
      expect(Array.from(rewards!)).toEqual([verified, words, format]);
      expect(reward).toBeCloseTo(2 * verified - 0.1 * words + 0.5 * format, 12);
    }
    const metrics = metricsOf(output)[1]!;
    expect(metrics["reward"]).toBeCloseTo(mean(stored.map(({ reward }) => reward)), 12);
    expect(metrics["reward:words"]).toBeCloseTo(mean(stored.map(({ rewards }) => rewards![1]!)), 12);
    for (const group of groups(stored))
      for (const { reward, advantage } of group)
        expect(advantage).toBeCloseTo(((reward - mean(group.map(({ reward }) => reward))) * 4) / 3, 10); // of 4
    expect(metrics["passRate"]).toBe(mean(stored.map(({ verdict }) => Number(verdict === "correct"))));

    // one that fails later on ends the run behind what is done, and a mended one is continued to the same bytes
    const again = { ...changes, top: { rewards: rewards.map((each) => ({ ...each })), compare: [] } };
    const later = writeOreal(join(base, "rewarded-later"), again);
    const words = (content: string) => writeFileSync(join(base, "rewarded-later/words.mjs"), content);
    const fromThen = (least: number) => `let asked = 0;
      export const createReward = ({ from }) => (question, response) => {
        if (++asked > ${least}) throw new Error("enough");
        return response.split(" ").length - from;
      };`;
    words(fromThen(25)); // 20 responses an iteration
    await expect(runHere(later, { set })).rejects.toThrow(userError("reward-failed", "threw Error: enough"));
    expect(metricsOf(join(base, "rewarded-later/out"))).toHaveLength(1);
    words(fromThen(1000));
    const resumed = await runHere(later, { mode: "resume", set });
    expect(resumed.notes.join(" ")).toMatch(/continu|iteration 1/i);
    expect(orealResults(resumed.output)).toEqual(orealResults(output));
  });

  test("leaves answers out that were cut off, if asked to", async () => {
    const verifier = { unfinished: "drop" };
    const changes = { objective: { advantage: "group-mean", keep: "none", weights: { source: "none" } } };
    const path = writeOreal(join(base, "unfinished"), { ...changes, top: { verifier, compare: [] } });
    const { output } = await runHere(path, { set: [`sampling.replay=${whole.output}`] });
    const stored = [1, 2, 3].flatMap((iteration) => groups(storedOf(output, iteration)));
    expect(new Set(stored.flat().map(({ finished }) => finished))).toEqual(new Set([true, false]));
    for (const group of stored) {
      const whole = group.filter(({ finished }) => finished);
      const passRate = whole.filter(({ verdict }) => verdict === "correct").length / whole.length;
      for (const { finished, kept, reward, advantage } of group) {
        expect(kept).toBe(finished);
        expect(advantage).toBeCloseTo(finished && whole.length > 1 ? reward - passRate : 0, 12);
      }
    }
  });

  test("with shuffled weights gives every response the mass that learned ones would", async () => {
    // the policy is frozen in the first iteration: in the second, both draw the same and have the same reward model
    const changes = { objective: { weights: { source: "shuffled" } } };
    const { output } = await runHere(writeOreal(join(base, "shuffled"), changes), { set: ["compare=[]"] });
    const [learned, shuffled] = [whole.output, output].map((path) => storedOf(path, 2).filter(({ kept }) => kept));
    expect(shuffled!.map(({ weights }) => sorted(weights))).toEqual(learned!.map(({ weights }) => sorted(weights)));
    expect(shuffled!.map(({ weights }) => weights)).not.toEqual(learned!.map(({ weights }) => weights));
    expect(metricsOf(output)[1]!["weightMean"]).toBeCloseTo(metricsOf(whole.output)[1]!["weightMean"]!, 6);
  });

  test("takes token weights of entropies, of a rule or of a file, and shuffles them as a control", async () => {
    const folder = join(base, "elsewhere");
    const arms = [
      { name: "even", objective: { weights: { form: "proportional" } } },
      { name: "shuffled", objective: { weights: { shuffled: true } } },
      { name: "mine", objective: { weights: { source: "rule", rule: { method: "./mine.mjs", factor: 3 } } } },
    ];
    const path = writeOreal(folder, { objective: { weights: { source: "entropy" } }, top: { compare: arms } });
    writeFileSync(
      join(folder, "mine.mjs"),
      `const rule = { name: "mine", needs: ["nll", "referenceNll"], scope: "step", divideBy: "kept" };
       export const createRule = ({ factor }) => ({
         ...rule,
         weigh: ({ signals }) => signals.nll.map((nll, i) => factor * Math.abs(nll - signals.referenceNll[i]) + nll),
       });`,
    );
    const set = [`sampling.replay=${whole.output}`, "training.iterations=1", "training.saveEvery=0"];
    const { output } = await runHere(path, { set });
    const keptOf = (arm: string) => storedOf(join(output, arm), 1).filter(({ kept }) => kept);
    const flat = (arm: string) => keptOf(arm).flatMap(({ weights }) => [...weights!]);
    const top = flat("");
    const share = top.reduce((a, b) => a + b, 0) / top.length;
    expect(new Set(top)).toEqual(new Set([0, 1]));
    expect(share).toBeGreaterThanOrEqual(0.2); // and what equals the quantile
    expect(share).toBeLessThan(0.25);
    for (const { weights } of keptOf("even")) expect(mean([...weights!])).toBeCloseTo(1, 5);
    expect(keptOf("shuffled").map(({ weights }) => sorted(weights))).toEqual(
      keptOf("").map(({ weights }) => sorted(weights)),
    );
    expect(flat("shuffled")).not.toEqual(top);
    // the policy still is the model before training: the loss alone is left of the file's formula
    for (const { weights, log_probs } of keptOf("mine"))
      weights!.forEach((weight, t) => expect(weight).toBeCloseTo(-log_probs![t]!, 4));
    const [metrics] = metricsOf(output) as [Record<string, number>];
    expect(metrics["weightGini"]).toBeCloseTo(1 - share, 6); // of zeros and ones
    expect(metrics["weightEffective"]).toBeCloseTo(share * top.length, 6);
    const unread = `objective.weights={source: rule, rule: {method: sstoken}}`;
    const refused = runHere(path, { set: [...set, unread, "compare=[]", `output=${join(folder, "refused")}`] });
    await expect(refused).rejects.toThrow(userError("missing-signal", "historyNll"));
    const { rows } = JSON.parse(readFileSync(join(output, "results.json"), "utf8")) as {
      rows: { objective?: string }[];
    };
    expect(rows.at(-1)!.objective).toBe("recommended, token weights of mine");
  });

  test("from which nothing is kept leaves the policy as it was, and says so once", async () => {
    const set = ["sampling.maxNewTokens=1", "training.iterations=3", "compare=[]"]; // every response is cut off, and wrong
    const { notes, output, tensors } = await runHere(writeOreal(join(base, "empty")), { set });
    expect(
      metricsOf(output).map(({ keptResponses, loss, wrong, unfinished }) => [keptResponses, loss, wrong, unfinished]),
    ).toEqual([1, 2, 3].map(() => [0, 0, 1, 1]));
    expect(
      notes.filter((note) => note.includes("nothing was kept (questions all wrong: 5, all right: 0)")),
    ).toHaveLength(1);
    const trained = await readTensors(join(output, "model/model.safetensors"));
    expect(trained).toEqual(await readTensors(join(smallSolver, "model.safetensors")));
    expect(tensors).toBe(0);
  });

  test("says once where the KL term does nothing, and not where it does something", async () => {
    const inert = "klCoefficient does nothing";
    const config = writeOreal(join(base, "inert"), { objective: { preset: "paper" } });
    const { notes, output } = await runHere(config, { set: ["training.iterations=2", "compare=[]"] });
    expect(notes.filter((note) => note.includes(inert))).toHaveLength(1);
    expect(metricsOf(output).map(({ kl, lossKl }) => [kl, lossKl])).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(whole.stderr).not.toContain(inert);
  });

  test("with adapters over one trunk is continued, and its policy is saved as adapter and merged", async () => {
    const adapter = { rank: 2, dropout: 0.2 };
    const changes = {
      policy: { adapter, learningRate: 1e-3 },
      objective: { clip: "token", clipLow: 1e-4, positives: "policy-gradient", normalizer: "questions" },
      training: { iterations: 2, policySteps: 2, rewardSteps: 2, saveEvery: 1 },
    };
    const set = ["compare=[]"];
    const straight = await runHere(writeOreal(join(base, "adapted"), changes), { set });
    expect(straight.tensors).toBe(0);
    // by the second step the policy is not the one that drew any more
    const clipped = metricsOf(straight.output).map((metrics) => metrics["clipped"]!);
    expect(Math.max(...clipped)).toBeGreaterThan(0);
    const path = writeOreal(join(base, "adapted-killed"), changes);
    const afterIteration = (_: string, done: number): void => {
      if (done === 1) throw new Error("killed");
    };
    await expect(runHere(path, { set, afterIteration })).rejects.toThrow("killed");
    const resumed = await runHere(path, { set, mode: "resume" });
    expect(orealResults(resumed.output)).toEqual(orealResults(straight.output));
    expect(existsSync(join(straight.output, "adapter/adapter_config.json"))).toBe(true);
    expect(existsSync(join(straight.output, "reward-model/adapter/adapter_config.json"))).toBe(true);
  });

  test("names damaged trajectories", async () => {
    const copy = join(base, "damaged-run");
    cpSync(whole.output, copy, { recursive: true });
    rmSync(join(copy, "trajectories/iteration-2.arrow"));
    cpSync(join(smallSolver, "config.json"), join(copy, "trajectories/iteration-2.arrow"));
    const run = runHere(writeOreal(join(base, "damaged")), { set: [`sampling.replay=${copy}`, "compare=[]"] });
    await expect(run).rejects.toThrow(userError("wrong-file-kind", "iteration-2.arrow"));
  });
});

test("an arm ends before an update once its policy is as far from its start as stopAtKl says, and is complete", async () => {
  const training = { iterations: 6, stopAtKl: 1e-9, saveEvery: 0, evaluateEvery: 0 };
  const objective = { weights: { source: "none" } };
  const path = writeOreal(join(base, "near"), { training, objective, top: { compare: [] } });
  const { output } = await runHere(path);
  const metrics = metricsOf(output);
  expect(metrics.map(({ klToInitial }) => klToInitial! >= 1e-9)).toEqual([...metrics.slice(1).map(() => false), true]);
  expect(metrics[0]!["klToInitial"]).toBe(0); // the policy still is its start
  expect(metrics.length).toBeLessThan(6);
  const [before, last] = metrics.slice(-2);
  expect([before!["gradNorm"]! > 0, last!["gradNorm"]]).toEqual([true, 0]);
  const summary = JSON.parse(readFileSync(join(output, "summary.json"), "utf8")) as Record<string, unknown>;
  expect(summary).toMatchObject({ steps: metrics.length, endedEarly: true });
  const again = await runHere(path, { mode: "resume" });
  expect(again.notes).toContain("oreal is complete.");
  expect(metricsOf(output)).toEqual(metrics);
});
