import { afterEach, describe, expect, test } from "@jest/globals";
import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { differenceOf, noiseResult, resultOf } from "../../src/report/compare-arms.ts";
import { readFinetuneRun } from "../../src/recipes/finetune/report-run.ts";
import { userError } from "../user-error.ts";
import { config, emptyFolder, tokenRow, writeArm, writeRun } from "./run-fixture.ts";

const readRun = (path: string) => readFinetuneRun(path).run;

let folder = "";
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a run's folder", () => {
  test("gives the main arm, and the others in the configuration's order", () => {
    folder = writeRun();
    const run = readRun(folder);
    expect(run.main).toMatchObject({ name: "sstoken", method: "sstoken", seconds: 8, finished: true });
    expect(run.arms.map((arm) => arm.name)).toEqual(["full", "random"]);
    expect(run.missingArms).toEqual([]);
    expect(run.main.metrics.map(({ value }) => value("lossAllTokens"))).toEqual([2, 1.5, 1 + 1 / 3, 1.25]);
    expect(run.main.metrics[0]!.value("nothing")).toBeNaN();
    expect(run.main.metrics[0]!.value("constructor")).toBeNaN();
    expect(run.main.evaluations.map(({ step, loss }) => [step, loss])).toEqual([
      [0, 3],
      [4, 1.5],
    ]);
    expect(run.time?.toISOString()).toBe("2024-02-03T04:05:06.000Z");
    expect(run.tokens?.rows[0]?.score[0]).toBeNaN();
  });

  test("may lack everything but the metrics", () => {
    folder = emptyFolder();
    writeFileSync(join(folder, "metrics.jsonl"), "");
    const run = readRun(folder);
    expect(run).toMatchObject({ arms: [], missingArms: [], config: {}, configText: undefined, tokens: undefined });
    expect(run.main).toMatchObject({ metrics: [], evaluations: [], noise: undefined, warnings: [], finished: false });
    expect(run.main.seconds).toBeNaN();
  });

  test("of a killed run ends with its last whole line, and counts noise and seconds from the steps", () => {
    folder = emptyFolder();
    writeArm(folder, { method: "sstoken", kept: 6, noise: { perStep: 2, dropped: 1 }, summary: false });
    appendFileSync(join(folder, "metrics.jsonl"), '{"step":5,"lo');
    const { main } = readRun(folder);
    expect(main.metrics.at(-1)?.step).toBe(4);
    // 4 steps of 10 tokens, 6 kept, 2 noise, 1 of them dropped
    expect(main.noise).toEqual({ tokens: 40, dropped: 16, noise: 8, hits: 4 });
    expect(main.seconds).toBe(8); // 4 steps of 2 s
    expect(main.finished).toBe(false);
  });

  test("may lack arms that its configuration names, and hold ones that it does not", () => {
    folder = emptyFolder();
    writeArm(folder, { method: "sstoken" });
    writeArm(join(folder, "extra"), { method: "dft" });
    writeArm(join(folder, "random"), { method: "random" });
    mkdirSync(join(folder, "model"));
    writeFileSync(join(folder, "config.yaml"), config);
    const run = readRun(folder);
    expect(run.arms.map((arm) => arm.name)).toEqual(["random", "extra"]);
    expect(run.missingArms).toEqual(["full"]);
  });

  test("has NaN for numbers that a log could not hold", () => {
    folder = emptyFolder();
    writeFileSync(join(folder, "metrics.jsonl"), '{"step":1,"loss":null,"keptShare":"x"}\n');
    writeFileSync(join(folder, "evaluation.jsonl"), '{"step":0,"loss":null,"rowIds":[1,2],"rowLosses":[null,2]}\n');
    const { metrics, evaluations } = readRun(folder).main;
    expect([metrics[0]!.value("loss"), metrics[0]!.value("keptShare"), evaluations[0]!.perplexity]).toEqual([
      NaN,
      NaN,
      NaN,
    ]);
    expect(evaluations[0]!.rowLosses).toEqual([NaN, 2]);
  });

  test.each([
    ["metrics.jsonl", '{"step":1}\nnot json\n{"step":2}\n', userError("damaged-log", "metrics.jsonl:2")],
    ["metrics.jsonl", '{"step":1}\n[1]\n', userError("damaged-log", "metrics.jsonl:2")],
    ["evaluation.jsonl", '{"loss":1}\n', userError("damaged-log", /evaluation\.jsonl:1[^]*"step"/)],
    ["evaluation.jsonl", "null\n", userError("damaged-log", "evaluation.jsonl:1")],
    ["summary.json", "{", userError("damaged-file", "summary.json")],
    ["tokens.json", "[]", userError("damaged-file", "tokens.json")],
    [
      "tokens.json",
      JSON.stringify({ rows: [tokenRow(), { ...tokenRow(), weights: [1] }] }),
      userError("damaged-file", "tokens.json, row 1: pieces, response"),
    ],
    [
      "tokens.json",
      JSON.stringify({ rows: [{ ...tokenRow(), pieces: [1, 2, 3, 4, 5] }] }),
      userError("damaged-file", "row 0: pieces"),
    ],
    ["tokens.json", JSON.stringify({ rows: [{ ...tokenRow(), noise: [1] }] }), userError("damaged-file", "row 0")],
    ["config.yaml", "a: [", userError("invalid-yaml", "config.yaml:1")],
    ["metrics.jsonl", `${"[".repeat(100_000)}\n`, userError("damaged-log", "metrics.jsonl:1")],
  ])("with a broken %s (%#) says where", (name, text, refusal) => {
    folder = writeRun();
    writeFileSync(join(folder, name), text);
    expect(() => readRun(folder)).toThrow(refusal);
  });

  test.each(["evaluation.jsonl", "tokens.json"])("with a %s that links to itself says where", (name) => {
    folder = writeRun();
    rmSync(join(folder, name));
    symlinkSync(name, join(folder, name));
    expect(() => readRun(folder)).toThrow(userError("unreadable", name));
  });

  test("that is none is refused, with what to name instead", () => {
    folder = emptyFolder();
    expect(() => readRun(folder)).toThrow(userError("no-run", "`output`"));
    expect(() => readRun(join(folder, "missing"))).toThrow(userError("no-run", "/missing"));
    writeFileSync(join(folder, "file"), "");
    expect(() => readRun(join(folder, "file"))).toThrow(userError("no-run", "/file"));
  });
});

describe("the comparison of two arms", () => {
  test("is the mean difference over rows both evaluated, matched by row number whatever the order", () => {
    folder = emptyFolder();
    writeArm(folder, { method: "a", after: [1, 2, 3, null], rowIds: [10, 11, 12, 13] });
    writeArm(join(folder, "b"), { method: "b", after: [9, 4, 3, 5], rowIds: [99, 11, 10, 13] });
    const { main, arms } = readRun(folder);
    const found = differenceOf(main, arms[0]!)!;
    expect(found).toMatchObject({ rows: 2, step: 4, exactMatch: undefined });
    expect(found.loss!.difference).toBe(-2); // rows 10: 1 - 3, 11: 2 - 4
    expect([found.loss!.low, found.loss!.high]).toEqual([-2, -2]);
  });

  test("counts exact match as a share of rows", () => {
    folder = writeRun();
    const { main, arms } = readRun(folder);
    const [full, random] = arms.map((arm) => differenceOf(main, arm)!);
    expect(full!.loss!.difference).toBeCloseTo(-0.25, 12); // (0 - 0.5 + 0 - 0.5) / 4
    expect(full!.exactMatch!.difference).toBeCloseTo(0.25, 12); // 3/4 - 2/4
    expect(random!.loss!.difference).toBeCloseTo(-0.5, 12);
    expect(random!.loss!.high).toBeCloseTo(-0.5, 12); // the same on every row
  });

  test("takes the last step that both have evaluated, and none if there is no such step or row", () => {
    folder = emptyFolder();
    writeArm(folder, { method: "a", steps: 4, before: [3], after: [1] });
    writeArm(join(folder, "b"), { method: "b", steps: 3, before: [3], after: [2] });
    const { main, arms } = readRun(folder);
    expect(differenceOf(main, arms[0]!)).toBeUndefined();
    appendFileSync(join(folder, "evaluation.jsonl"), '{"step":3,"loss":1.5,"rowIds":[0],"rowLosses":[1.5]}\n');
    expect(differenceOf(readRun(folder).main, arms[0]!)).toMatchObject({ step: 3, loss: { difference: -0.5, p: 1 } });
    expect(resultOf(readRun(folder).main).after?.step).toBe(4);
  });
});

test("noise found stands beside what random expects", () => {
  // 100 tokens, 40 dropped, 20 noise, 16 of it dropped
  expect(noiseResult({ tokens: 100, dropped: 40, noise: 20, hits: 16 })).toMatchObject({
    ...{ precision: 0.4, expectedPrecision: 0.2, recall: 0.8, expectedRecall: 0.4 },
  });
  expect(noiseResult({ tokens: 10, dropped: 0, noise: 2, hits: 0 }).precision).toBeNaN();
});
