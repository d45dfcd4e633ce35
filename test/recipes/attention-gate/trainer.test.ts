import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readModelFacts } from "../../../src/model/model.ts";
import { page } from "../../report/report-page.ts";
import { writeGates } from "./small-run.ts";
import { runHere } from "../run-here.ts";
import { linesOf } from "../small-run.ts";
import { copyOfWhole, wholeRun } from "../whole-run.ts";

const run = (config: string, ...flags: string[]) => runHere("attention-gate", config, ...flags);

const gatesIn = (output: string) =>
  JSON.parse(readFileSync(join(output, "gates/gates.json"), "utf8")) as { use: unknown; modelBefore?: string };

let base: string;
let whole: string;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-gate-recipe-"));
  whole = (await wholeRun("attention-gate")).output;
}, 300_000);
afterAll(() => rmSync(base, { recursive: true }));

describe("the Attention-Gate recipe", () => {
  test("ends with a table of caches of equal budget", () => {
    const { budget, rows: caches } = JSON.parse(readFileSync(join(whole, "results.json"), "utf8")) as {
      budget: number;
      rows: { model: string; cache: string; kept: number; evicted: number; bytes: number; keptKey: number }[];
    };
    const names = ["gates gates", "gates full", "control full", "control h2o", "control key-diff"];
    expect(caches.map(({ model, cache }) => `${model} ${cache}`)).toEqual(names);
    expect(budget).toBe(caches[0]!.kept);
    expect(budget).toBeLessThan(1);
    for (const { kept, bytes } of caches) expect(bytes / caches[1]!.bytes).toBeCloseTo(kept, 9);
    for (const baseline of caches.slice(3)) expect(Math.abs(baseline.kept - budget)).toBeLessThan(0.01);
  });

  test("ends with a report of the same numbers, and rows as the gates treat them", () => {
    const markup = readFileSync(join(whole, "report.html"), "utf8");
    const { cells, section } = page(markup);
    const { rows: caches } = JSON.parse(readFileSync(join(whole, "results.json"), "utf8")) as {
      rows: { model: string; cache: string; accuracy: number; kept: number }[];
    };
    const share = (x: number): string => `${(100 * x).toFixed(1)} %`;
    expect(cells("Results").map((row) => [...row.slice(0, 3), row[6]])).toEqual(
      caches.map(({ model, cache, accuracy, kept }) => [model, cache, share(accuracy), share(kept)]),
    );
    const { rows } = JSON.parse(readFileSync(join(whole, "tokens.json"), "utf8")) as {
      rows: { pieces: string[]; response: number[]; keptHeads: number[][]; score: (number | null)[] }[];
    };
    expect(rows.length).toBe(2);
    for (const { pieces, response, keptHeads, score } of rows) {
      expect(keptHeads.map((layer) => layer.length)).toEqual(new Array(4).fill(pieces.length));
      // two heads in each of four layers
      const shares = pieces.map((_, t) => keptHeads.reduce((sum, layer) => sum + layer[t]!, 0) / 8);
      expect(score).toEqual(shares.map((x, t) => (response[t] ? x : null)));
      response.forEach((mayGo, t) => expect(mayGo ? 1 : shares[t]).toBe(1));
    }
    // each row over all layers and in each of the four
    expect(section("Tokens in the cache")?.querySelectorAll("figure.row").length).toBe(2 * 5);
  });

  test("says with its gates over which model they were trained together with an adapter", async () => {
    expect(gatesIn(whole).modelBefore).toBe((await readModelFacts("models/tiny")).fingerprint);
  });

  test("records what hard gates evict, layer by layer and head by head", () => {
    const steps = readFileSync(join(whole, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map(
        (line) => JSON.parse(line) as { loss: number; nll: number; evictionLoss: number; evictedByHead: number[][] },
      );
    expect(steps).toHaveLength(4);
    for (const { loss, nll, evictionLoss, evictedByHead } of steps) {
      expect(loss).toBeCloseTo(nll + evictionLoss, 9);
      expect(evictedByHead.map((heads) => heads.length)).toEqual([2, 2, 2, 2]);
    }
    const last = JSON.parse(readFileSync(join(whole, "evaluation.jsonl"), "utf8").trim().split("\n").at(-1)!) as Record<
      string,
      number
    >;
    expect(last["softHardGap"]).toBeCloseTo(last["hardLoss"]! - last["softLoss"]!, 9);
  });

  test("of mode pretrain leaves the model as it is, and writes gates alone", async () => {
    const changes = {
      mode: "pretrain",
      adapter: undefined,
      gates: { objective: "end-to-end", kind: "linear", rows: "prompts", initialKeep: 0.6, sinks: 3, threshold: 0.55 },
      training: { steps: 1, batchSize: 2, learningRate: 0.5 },
      evaluation: { maxNewTokens: 2, baselines: ["key-norm"] },
    };
    const { code } = await run(writeGates(join(base, "pretrain"), changes));
    expect(code).toBe(0);
    const output = join(base, "pretrain/out");
    const { use, modelBefore } = gatesIn(output);
    expect(modelBefore).toBeUndefined();
    expect(use).toEqual({ sinks: 3, window: 16, threshold: 0.55, rows: "prompts" }); // what generate and score go by
    expect(existsSync(join(output, "model"))).toBe(false);
    expect(readFileSync(join(output, "table.txt"), "utf8")).toMatch(/^model +full [^]*^model +key-norm /m);
    expect(linesOf(join(output, "metrics.jsonl"))).toBe(1);
  }, 120_000);

  test("trains gates that foresee attention, answers over every share they keep, and continues to the same bytes", async () => {
    const changes = {
      ...{ mode: "pretrain", adapter: undefined, eviction: undefined },
      gates: { rows: "prompts", inner: 4, sinks: 3 },
      training: { steps: 3, batchSize: 2, microBatchSize: 1, learningRate: 0.01, saveEvery: 1 },
      evaluation: { maxNewTokens: 2, baselines: ["key-diff-value"], keep: [0.5, 0.25] },
      report: { rows: [1] },
    };
    const config = writeGates(join(base, "future"), changes);
    const { code } = await run(config);
    expect(code).toBe(0);
    const output = join(base, "future/out");
    const { rows } = JSON.parse(readFileSync(join(output, "tokens.json"), "utf8")) as { rows: { rowId: number }[] };
    expect(rows.map(({ rowId }) => rowId)).toEqual([1]);
    expect(gatesIn(output).use).toEqual({ sinks: 3, window: 16, ratio: 0.5, rows: "prompts" });
    const results = JSON.parse(readFileSync(join(output, "results.json"), "utf8")) as {
      keep: number[];
      rows: { model: string; cache: string; keep?: number; kept: number }[];
    };
    expect(results.keep).toEqual([0.5, 0.25]);
    expect(results.rows.map(({ model, cache }) => `${model} ${cache}`)).toEqual([
      ...["gates gates 0.5", "gates gates 0.25", "model full"],
      ...["model key-diff-value 0.5", "model key-diff-value 0.25"],
    ]);
    for (const { keep = 1, kept } of results.rows) expect(Math.abs(kept - keep)).toBeLessThan(0.01); // rounded up
    const { cells, section } = page(readFileSync(join(output, "report.html"), "utf8"));
    expect(cells("Results", 1).map(([name]) => name)).toEqual([
      ...["gates 0.5 − full model", "gates 0.5 − key-diff-value 0.5 model"],
      ...["gates 0.25 − full model", "gates 0.25 − key-diff-value 0.25 model"],
    ]);
    expect(section("Loss")!.querySelectorAll("figure").length).toBe(2);
    expect(linesOf(join(output, "problems.jsonl"))).toBe(2 * 2); // problems, caches

    const bytes = () => [
      readFileSync(join(output, "gates/gates.safetensors")).toString("base64"),
      ...["metrics.jsonl", "evaluation.jsonl"].map((file) => readFileSync(join(output, file), "utf8")),
    ];
    const whole = bytes();
    for (const lost of ["summary.json", "gates", "checkpoints/step-3"]) rmSync(join(output, lost), { recursive: true });
    const again = await run(config, "--resume");
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining("Continuing after step 2.")]);
    expect(bytes()).toEqual(whole);
  }, 120_000);

  test("keeps in its summary that the loss over tokens exploded", async () => {
    const { config, output } = await copyOfWhole("attention-gate", join(base, "exploded"));
    rmSync(join(output, "summary.json"));
    const log = join(output, "metrics.jsonl");
    const steps = readFileSync(log, "utf8").split("\n");
    steps[2] = steps[2]!.replace(/"nll":[^,]*/, '"nll":1e999'); // read as Infinity
    writeFileSync(log, steps.join("\n"));
    const { code, stderr } = await run(config, "--resume", "--allow-changes");
    expect([code, stderr]).toEqual([0, expect.stringContaining("Continuing after step 4.")]);
    const summary = JSON.parse(readFileSync(join(output, "summary.json"), "utf8")) as object;
    expect(summary).toHaveProperty("warnings", [expect.stringMatching(/^At step 3 the loss is Infinity: it explodes/)]);
  }, 120_000);

  test("ends with one message where a key is wrong", async () => {
    const config = writeGates(join(base, "wrong"));
    const wrong = await run(config, "--set", "gates.knid=mlp");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/did you mean gates\.kind\?/)]);
  }, 120_000);
});
