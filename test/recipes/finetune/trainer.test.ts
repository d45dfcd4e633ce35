import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { countOpenings } from "../openings.ts";
import { runHere, startHere } from "../run-here.ts";
import { linesOf, results, smallSolver, startRecipe, whenEntries, writeConfig, writeRecipe } from "../small-run.ts";
import { copyOfWhole } from "../whole-run.ts";

const runRecipe = (config: string, ...flags: string[]) => runHere("sstoken", config, ...flags);
let base: string;
let whole: string;
let wholeConfig: string;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-recipe-"));
  ({ config: wholeConfig, output: whole } = await copyOfWhole("sstoken", join(base, "whole")));
}, 120_000);
afterAll(() => rmSync(base, { recursive: true }));

/** Everything below a folder, with the time of its last change. */
function snapshot(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names.sort().map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}

describe("the ssToken recipe", () => {
  test("leaves a complete run", () => {
    expect(linesOf(join(whole, "metrics.jsonl"))).toBe(12);
    expect(linesOf(join(whole, "random/metrics.jsonl"))).toBe(12);
    expect(linesOf(join(whole, "evaluation.jsonl"))).toBe(4); // steps 0, 4, 8 and 12
    expect(readdirSync(join(whole, "checkpoints")).sort()).toEqual(["step-12", "step-9"]);
    expect(Object.values(results(whole)).every((content) => content !== undefined)).toBe(true);
  });

  test.each([{}, { adapter: { rank: 2 } }])("opens the starting model once for three arms: %j", async (changes) => {
    const data = join(import.meta.dirname, "../../../datasets/word-problems");
    const config = writeConfig(join(base, `three-${Object.keys(changes).join("")}`), {
      model: smallSolver,
      data: { train: join(data, "train-noisy.arrow"), limit: 4, maxTokens: 160 },
      selection: { method: "sstoken" },
      training: { steps: 1, batchSize: 2 },
      compare: ["full", "random"],
      ...changes,
    });
    const opened = await countOpenings(join(smallSolver, "model.safetensors"));
    const { code, stderr } = await runRecipe(config);
    expect([opened.end(), code, code === 0 ? "" : stderr]).toEqual([1, 0, ""]);
  });

  test("of packed rows, stopped in the middle, goes on to the same bytes; it says how full they are", async () => {
    const packed = [
      ...["data.packing=true", "data.limit=64", "compare=[]"],
      ...["training.batchSize=2", "training.microBatchSize=1"],
    ];
    const flags = [...packed, "training.steps=6", "training.saveEvery=2"].flatMap((setting) => ["--set", setting]);
    const configs = ["packed", "stopped"].map((name) => writeRecipe(join(base, name)));
    const { code, stderr } = await runRecipe(configs[0]!, ...flags);
    expect(code).toBe(0);
    expect(stderr).toMatch(/64 rows are packed into \d+ of at most 160 tokens, which are 9\d\.\d % full\./);
    const stopped = startHere("sstoken", configs[1]!, ...flags);
    expect(await whenEntries(stopped, join(base, "stopped/out/metrics.jsonl"), 3)).toBe(true);
    stopped.stop("SIGINT");
    expect((await stopped.ended).code).toBe(130);
    expect((await runRecipe(configs[1]!, "--resume", ...flags)).stderr).toMatch(/continuing after step [345]\./i);
    const [whole, resumed] = ["packed", "stopped"].map((name) => results(join(base, name, "out")));
    expect(resumed).toEqual(whole);
    const [first] = readFileSync(join(base, "packed/out/metrics.jsonl"), "utf8").split("\n");
    const { tokens, samplesSeen, epoch } = JSON.parse(first!) as Record<string, number>;
    expect(tokens).toBeLessThanOrEqual(2 * 160);
    expect(samplesSeen).toBeGreaterThan(2);
    expect(epoch).toBe(samplesSeen! / 64);
    const dry = await runRecipe(configs[0]!, ...flags, "--dry-run");
    expect(dry.stdout).toMatch(/^Steps: 6 of 2 packed rows of at most 160 tokens, 0\.\d+ epochs$/m);
  }, 120_000);

  test("interrupted before its first step, stops there and goes on to the same bytes", async () => {
    const config = writeRecipe(join(base, "early"));
    const alone = ["--set", "compare=[]"];
    const started = startRecipe(config, ...alone);
    let asked = false;
    started.child.stderr!.on("data", (text: string) => {
      if (!asked && text.includes("losses of the earlier model")) asked = started.child.kill("SIGINT");
    });
    const { code, stderr } = await started.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/Stopped at losses of the earlier model. Continue with --resume.\n$/);
    expect(linesOf(join(base, "early/out/evaluation.jsonl"))).toBe(0);
    expect((await runRecipe(config, "--resume", ...alone)).code).toBe(0);
    for (const [file, content] of Object.entries(results(join(base, "early/out"))))
      if (!file.startsWith("random/")) expect([file, content]).toEqual([file, results(whole)[file]]);
  }, 120_000);

  test("resumed when complete, writes the report anew and nothing else", async () => {
    const before = results(whole);
    rmSync(join(whole, "report.html"));
    const { code, stderr } = await runRecipe(wholeConfig, "--resume");
    expect(code).toBe(0);
    expect(stderr).toMatch(/sstoken is complete[^]*random is complete/);
    expect(existsSync(join(whole, "report.html"))).toBe(true);
    expect(results(whole)).toEqual(before);
  });

  test("refuses to go on under other settings, and names each", async () => {
    const before = snapshot(whole);
    const changes = ["--set", "training.learningRate=0.01", "--set", "selection.ratio=0.5"];
    const { code, stderr } = await runRecipe(wholeConfig, "--resume", ...changes);
    expect(code).toBe(2);
    expect(stderr).toMatch(/training\.learningRate was 0\.001 and is now 0\.01/);
    expect(stderr).toMatch(/selection\.ratio was 0\.6 and is now 0\.5/);
    expect(stderr).not.toContain("    at ");
    expect(snapshot(whole)).toEqual(before);
  });

  test("names a damaged checkpoint and takes the one before it", async () => {
    const before = results(whole);
    for (const file of ["summary.json", "random/summary.json"]) rmSync(join(whole, file));
    writeFileSync(join(whole, "checkpoints/step-12/optimizer.safetensors"), "");
    const resumed = await runRecipe(wholeConfig, "--resume");
    expect(resumed.code).toBe(0);
    expect(resumed.stderr).toMatch(
      /step-12.*optimizer\.safetensors[^]*Continuing after step 9\.[^]*Continuing after step 12\./,
    );
    expect(results(whole)).toEqual(before);
  });

  test("whose second arm has an unusable rule ends before the first arm trains", async () => {
    const config = writeRecipe(join(base, "second"));
    const rule = join(base, "rule.js");
    writeFileSync(rule, "throw null;");
    const { code, stderr } = await startRecipe(config, "--set", `compare=[${JSON.stringify(rule)}]`).ended; // Jest reads null
    expect(code).toBe(2);
    expect(stderr).toMatch(/^sstoken: .*rule\.js: The module cannot be loaded: null\n$/);
    expect(existsSync(join(base, "second/out"))).toBe(false);
  });

  test("says that a model is too large for this machine, and does not make it", async () => {
    const config = writeRecipe(join(base, "large"));
    const large = ["--set", "fresh.width=8192", "--set", "fresh.layers=2000"];
    const { code, stdout } = await runRecipe(config, ...large, "--dry-run");
    expect(code).toBe(0);
    expect(stdout).toMatch(/Memory: about \d{4,}\.\d\d GB on the cpu engine.*\nThat is more than the [\d.]+ GB that/);
    const refused = await runRecipe(config, ...large);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /sstoken: the run needs about \d{4,}\.\d\d GB of memory .* that this process can have\n {2}.* --allow-memory /,
    );
    expect(existsSync(join(base, "large/out"))).toBe(false);
  });
});
