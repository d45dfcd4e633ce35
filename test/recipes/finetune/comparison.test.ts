import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadConfig } from "../../../src/config/index.ts";
import { gatherInputs, type RunInputs } from "../../../src/recipes/kit/inputs.ts";
import type { ArmReporter } from "../../../src/recipes/kit/reporter.ts";
import { perform } from "../../../src/recipes/kit/run-from-command-line.ts";
import { ssTokenRecipe } from "../../../src/recipes/finetune/recipe.ts";
import type { FinetuneRun } from "../../../src/recipes/finetune/recipe.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { ruleStep, type StepRecord } from "../../../src/training/index.ts";
import type { RunFolderMode } from "../../../src/training/run-folder.ts";
import { tensorCount } from "../../training/reference.ts";
import { userError } from "../../user-error.ts";
import { results, writeRecipe } from "../small-run.ts";

let base: string;
/** A run of which nothing is changed or disturbed. */
let whole: Awaited<ReturnType<typeof run>>;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-comparison-"));
  whole = await run("whole");
});
afterAll(() => {
  releaseEngine();
  rmSync(base, { recursive: true });
});

interface Options {
  set?: string[];
  mode?: RunFolderMode;
  allowChanges?: boolean;
  /** Leaves the loop over steps after so many of them. */
  leaveAfter?: number;
  /** Called after every step; throwing ends the run there. */
  afterStep?: (arm: string, step: number) => void;
  interrupted?: () => boolean;
}

/** What `trainers/sstoken.ts` does, in this process. Gives what was said, and the tensors that are left. */
async function run(name: string, options: Options = {}): Promise<{ notes: string[]; output: string; tensors: number }> {
  const small = [
    "training.microBatchSize=2",
    "training.batchSize=2",
    "training.schedule=constant",
    "training.warmupRatio=0",
    "data.validationLimit=4",
    "evaluation.samples=1",
    "evaluation.maxNewTokens=2",
  ];
  const path = writeRecipe(join(base, name));
  const { config, resolvedYaml } = loadConfig(ssTokenRecipe.config, path, { set: [...small, ...(options.set ?? [])] });
  const notes: string[] = [];
  const reporter: ArmReporter = { note: (text) => notes.push(text), working: () => undefined, step: () => undefined };
  let tensors = NaN;
  const trainer = async ({ arms }: FinetuneRun): Promise<void> => {
    for await (const { name, learner, rule, signals: plan, ...arm } of arms()) {
      for (const step of learner.steps()) {
        const batches = arm.batches(step);
        await arm.record(batches, await ruleStep(learner, step, batches, { rule, plan, context: arm.context() }));
        options.afterStep?.(name, step + 1);
        if (step + 1 === options.leaveAfter) break;
      }
      await arm.finish();
    }
  };
  const engine = await useEngine("cpu", { threads: 1 });
  tensors = tensorCount();
  let inputs: RunInputs | undefined;
  try {
    await perform(ssTokenRecipe, trainer, {
      config,
      resolvedYaml,
      mode: options.mode ?? "new",
      allowChanges: options.allowChanges ?? false,
      inputs: async () => (inputs ??= await gatherInputs(config, engine, reporter)),
      reporterOf: () => reporter,
      interrupted: options.interrupted ?? (() => false),
      command: "npx tsx trainers/sstoken.ts",
    });
  } finally {
    await inputs?.close();
    tensors = tensorCount() - tensors;
  }
  return { notes, output: config.output, tensors };
}

const stopAt = (arm: string, step: number) => (ownArm: string, done: number) => {
  if (ownArm === arm && done === step) throw new Error("stopped");
};
const readJson = (...path: string[]): Record<string, unknown> =>
  JSON.parse(readFileSync(join(...path), "utf8")) as Record<string, unknown>;

test("a trainer that leaves an arm before its end is told", async () => {
  await expect(run("left", { leaveAfter: 3 })).rejects.toThrow(
    userError("run-unfinished", "sstoken after step 3 of 12"),
  );
});

describe("a comparison", () => {
  test("says in one sentence how the main arm compares with its controls", () => {
    const { finding } = readJson(whole.output, "results.json");
    expect(finding).toMatch(
      /held-out rows sstoken has .* loss .*\brandom \(.* probability of the reference .*one seed/,
    );
  });

  test("frees all tensors, also of arms that end in an error", async () => {
    expect(whole.tensors).toBe(0);
    expect((await run("ema", { set: ["history.source=ema", "training.steps=3", "compare=[]"] })).tensors).toBe(0);
    const before = tensorCount();
    await expect(run("broken", { set: ["training.steps=3"], afterStep: stopAt("random", 2) })).rejects.toThrow(
      "stopped",
    );
    expect(tensorCount()).toBe(before);
  });

  test("with an adapter leaves it and the model it is merged into, and goes on to the same bytes", async () => {
    const lora = ["adapter.rank=4", "adapter.dropout=0.1", "history.source=ema", "compare=[]"];
    const straight = await run("lora", { set: lora });
    expect(straight.tensors).toBe(0);
    expect(straight.notes).toContainEqual(
      expect.stringMatching(/^The adapter has \d+ numbers to train, [\d.]+ % of all/),
    );
    const names = ["README.md", "adapter_config.json", "adapter_model.safetensors"];
    expect(readdirSync(join(straight.output, "adapter")).sort()).toEqual(names);
    expect(existsSync(join(straight.output, "checkpoints/step-12/model"))).toBe(false);

    await expect(run("stopped", { set: lora, afterStep: stopAt("sstoken", 7) })).rejects.toThrow("stopped");
    const resumed = await run("stopped", { set: lora, mode: "resume" });
    expect(resumed.notes).toContain("Continuing after step 6.");
    expect(results(resumed.output)).toEqual(results(straight.output));
  });

  test("of self-evolving Token Cleaning goes on to the same bytes: its reference is part of the checkpoint", async () => {
    const set = ["selection={method: token-cleaning, scope: step}", "selfEvolving.parts=3", "compare=[]"];
    const straight = await run("evolving", { set });
    expect(straight.tensors).toBe(0);
    const shares = results(straight.output)["metrics.jsonl"]!.trim().split("\n");
    const kept = shares.map((line) => (JSON.parse(line) as StepRecord).keptShare);
    expect(kept.slice(0, 4)).toEqual([1, 1, 1, 1]);
    expect(Math.max(...kept.slice(4))).toBeLessThan(0.7);
    await expect(run("halted", { set, afterStep: stopAt("token-cleaning", 7) })).rejects.toThrow("stopped");
    const resumed = await run("halted", { set, mode: "resume" });
    expect(results(resumed.output)).toEqual(results(straight.output));
  });

  test("that is complete trains on when it is resumed with more steps", async () => {
    const expected = results((await run("straight", { set: ["training.steps=14"] })).output);
    cpSync(whole.output, join(base, "longer/out"), { recursive: true });
    const { notes, output } = await run("longer", { mode: "resume", set: ["training.steps=14"] });
    expect(notes).toContain("Continuing after step 12.");
    expect(readJson(output, "summary.json")["steps"]).toBe(14);
    const actual = results(output);
    for (const file of ["metrics.jsonl", "random/metrics.jsonl", "random/model/model.safetensors"])
      expect([file, actual[file]]).toEqual([file, expected[file]]);
    const again = await run("longer", { mode: "resume", set: ["training.steps=14"] });
    expect(again.notes).toEqual(expect.arrayContaining(["sstoken is complete.", "random is complete."]));
  });

  test("keeps the warnings and the seconds of before an interruption", async () => {
    const long = {
      set: ["training.steps=52", "training.saveEvery=51", "training.evaluateEvery=0", "compare=[]"],
    };
    await expect(run("warned", { ...long, afterStep: stopAt("sstoken", 51) })).rejects.toThrow("stopped");
    const output = join(base, "warned/out");
    // losses that part after step 25, and a clock that has run for a day
    const rewrite = (file: string, change: (line: { step: number }) => object): void => {
      const lines = readFileSync(join(output, file), "utf8").trimEnd().split("\n");
      const changed = lines
        .map((line) => JSON.parse(line) as { step: number })
        .map((line) => ({ ...line, ...change(line) }));
      writeFileSync(join(output, file), changed.map((line) => `${JSON.stringify(line)}\n`).join(""));
    };
    rewrite("metrics.jsonl", ({ step }) =>
      step <= 25 ? { loss: 2, lossAllTokens: 3 } : { loss: 1, lossAllTokens: 4 },
    );
    rewrite("timing.jsonl", ({ step }) => (step === 7 ? { seconds: 86_400 } : {}));
    await run("warned", { ...long, mode: "resume", allowChanges: true });
    const { warnings, seconds } = readJson(output, "summary.json");
    expect(warnings).toEqual([expect.stringMatching(/^At step 50 /)]);
    expect(seconds).toBeGreaterThan(86_400);
    expect(seconds).toBeLessThan(87_000);
  });

  test("that is interrupted at the last step of its first arm has saved it, and does not begin the second", async () => {
    let asked = false;
    const interrupting: Options = {
      interrupted: () => asked,
      afterStep: (_, step) => (asked = step === 11),
    };
    await expect(run("between", interrupting)).rejects.toThrow("Stopped after step 12 of 12");
    const output = join(base, "between/out");
    expect(existsSync(join(output, "checkpoints/step-12/training.json"))).toBe(true);
    expect(existsSync(join(output, "random"))).toBe(false);
    await run("between", { mode: "resume" });
    expect(results(output)).toEqual(results(whole.output));
  });

  test("started over the history losses of another run gives the same bytes", async () => {
    const cache = join(base, "shared");
    await run("other", {
      set: [`data.cache=${cache}`, "training.steps=3", "training.seed=9", "training.batchSize=5", "compare=[]"],
    });
    const { output } = await run("after", { set: [`data.cache=${cache}`] });
    expect(readdirSync(cache).filter((name) => name.startsWith("column-"))).toHaveLength(2);
    expect(results(output)["metrics.jsonl"]).toBe(results(whole.output)["metrics.jsonl"]);
  });

  test("counts the noise that each arm dropped over the whole run, interrupted or not", async () => {
    await expect(run("noise", { afterStep: stopAt("sstoken", 7) })).rejects.toThrow("stopped");
    const { output } = await run("noise", { mode: "resume" });
    for (const arm of ["", "random"]) {
      const lines = readFileSync(join(output, arm, "metrics.jsonl"), "utf8")
        .trimEnd()
        .split("\n");
      const total = (key: string): number =>
        lines.reduce((sum, line) => sum + (JSON.parse(line) as Record<string, number>)[key]!, 0);
      const dropped = total("responseTokens") - total("keptTokens");
      const [noise, hits] = [total("noiseTokens"), total("noiseDropped")];
      expect(noise).toBeGreaterThan(0);
      expect(readJson(output, arm, "summary.json")["noise"]).toEqual({
        tokens: total("responseTokens"),
        dropped,
        noise,
        hits,
        precision: hits / dropped,
        recall: hits / noise,
      });
    }
  });
});
