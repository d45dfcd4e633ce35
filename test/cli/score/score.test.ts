import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RowFacts } from "../../../src/cli/score/score-rows.ts";
import { openDataset, tokenizeDataset } from "../../../src/data/index.ts";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { loadModel } from "../../../src/model/index.ts";
import { datasetWeights } from "../../../src/selection/dataset-weights.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { newTrainingState, train } from "../../../src/training/index.ts";
import { fixtures, reference, referenceRows, temporaryFolder, tied, tokensift } from "../run.ts";
import { flat } from "../../data/flat-tokens.ts";

const folder = temporaryFolder();
const data = folder.writeRows("data.jsonl", referenceRows);
const untied = folder.copyModel("untied", join(fixtures, "model/untied")); // other weights, same tokenizer
for (const name of ["tokenizer.json", "tokenizer_config.json"])
  writeFileSync(join(untied, name), readFileSync(join(tied, name)));

const run = (out: string, ...argv: string[]) =>
  tokensift("score", "--model", tied, "--data", data, "--out", out, "--overwrite", "--engine", "cpu", ...argv);

const parse = (path: string): RowFacts[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RowFacts);

async function scored(...argv: string[]): Promise<RowFacts[]> {
  const out = folder.path("scored.jsonl");
  const { code, err } = await run(out, ...argv);
  if (code !== 0) throw new Error(err);
  return parse(out);
}

/** The response tokens of all rows as [row, token], highest value first. */
const ranked = (rows: readonly RowFacts[], value: (row: RowFacts, t: number) => number): [number, number][] =>
  rows
    .flatMap((row, r) => Array.from(row.response, (mark, t) => [mark, r, t] as const))
    .flatMap(([mark, r, t]): [number, number][] => (mark ? [[r, t]] : []))
    .sort(([a, s], [b, t]) => value(rows[b]!, t) - value(rows[a]!, s));

const keptOf = (rows: readonly RowFacts[]) =>
  rows.flatMap(({ weights }, r) => Array.from(weights, (weight, t) => (weight ? `${r}/${t}` : ""))).filter(Boolean);

const names = (tokens: readonly [number, number][]) => tokens.map(([r, t]) => `${r}/${t}`);

describe("the numbers of score", () => {
  let rows: RowFacts[];
  beforeAll(async () => {
    rows = await scored();
  });

  test("stand in the data's order with their ids, texts and marks", () => {
    expect(rows.map(({ rowId, ids, response }) => ({ rowId, ids, response }))).toEqual(
      referenceRows.map(({ input_ids, response_mask }, rowId) => ({ rowId, ids: input_ids, response: response_mask })),
    );
    expect(rows.map(({ tokens }) => tokens)).toEqual(referenceRows.map((row) => row.input_ids.map((id) => `w${id}`)));
  });

  test("are those of PyTorch to 1e-5: losses and entropies of every token, attention of response tokens", () => {
    let largest = 0;
    rows.forEach(({ nll, entropy, promptAttention, response }, r) => {
      expect([nll[0], entropy[0]]).toEqual([0, 0]);
      for (let t = 0; t < nll.length; t++) {
        const attention = response[t] ? reference.promptAttention.at(-1)![r]![t]! : 0;
        const differences = [
          nll[t]! + reference.logProb[r]![t]!,
          entropy[t]! - reference.entropy[r]![t]!,
          promptAttention[t]! - attention,
        ];
        largest = Math.max(largest, ...differences.map(Math.abs));
      }
    });
    expect(largest).toBeLessThan(1e-5);
  });

  test("--layer chooses whose attention", async () => {
    const first = await scored("--layer", "0");
    const attention = Array.from(first[0]!.promptAttention).slice(4);
    attention.forEach((value, i) => expect(value).toBeCloseTo(reference.promptAttention[0]![0]![4 + i]!, 5));
  });

  test("weigh 1 on response tokens without a selector, and hold no history", () => {
    for (const row of rows) {
      expect(row.weights).toEqual(row.response);
      expect(Object.keys(row)).not.toContain("historyNll");
    }
  });

  test("do not depend on how rows are batched", async () => {
    const alone = await scored("--batch-size", "1");
    alone.forEach((row, r) => row.nll.forEach((nll, t) => expect(nll).toBeCloseTo(rows[r]!.nll[t]!, 5)));
  });

  test("are the same in an Arrow file", async () => {
    const path = folder.path("scored.arrow");
    expect((await run(path)).code).toBe(0);
    const table = openArrow(path);
    const lists = ["ids", "response", "nll", "promptAttention", "entropy", "weights"] as const;
    expect([...table.columns.keys()].sort()).toEqual(["rowId", "tokens", ...lists].sort());
    rows.forEach((row, r) => {
      const stored = table.row(r, ["rowId", "tokens", ...lists]);
      expect([stored["rowId"], stored["tokens"]]).toEqual([row.rowId, row.tokens]);
      for (const name of lists) {
        const values = Array.from(stored[name] as ArrayLike<number>);
        expect(values).toEqual(Array.from(row[name], name === "ids" || name === "response" ? Number : Math.fround));
      }
    });
    table.close();
  });

  test("--rows and --max-tokens read less", async () => {
    const less = await scored("--rows", "2", "--max-tokens", "6");
    expect(less.map(({ ids }) => ids.length)).toEqual([6, 6]);
  });
});

describe("a selector of scope", () => {
  const byLoss = (row: RowFacts, t: number) => row.nll[t]!;

  test("response ranks each row on its own", async () => {
    const rows = await scored("--selector", "loss-top", "--set", "ratio=0.5");
    // ceil of half of 7, 3, 1 and 1 response tokens
    const expected = rows.flatMap((row, r) =>
      names(ranked(rows, byLoss).filter(([owner]) => owner === r)).slice(0, [4, 2, 1, 1][r]),
    );
    expect(keptOf(rows)).toEqual(expected.sort(inOrder));
  });

  test("step ranks over each --batch-size rows in the data's order", async () => {
    const rows = await scored(
      "--selector",
      "loss-top",
      "--set",
      "ratio=0.5",
      "--set",
      "scope=step",
      "--batch-size",
      "2",
    );
    const within = (from: number, count: number) =>
      names(ranked(rows, byLoss).filter(([r]) => r === from || r === from + 1)).slice(0, count);
    // half of 7 + 3, and of 1 + 1
    expect(keptOf(rows)).toEqual([...within(0, 5), ...within(2, 1)].sort(inOrder));
  });

  test.each(["1", "3"])("dataset ranks over all rows, %s at a time", async (size) => {
    const flags = ["--set", "ratio=0.5", "--set", "scope=dataset", "--micro-batch-size", size, "--batch-size", "2"];
    const rows = await scored("--selector", "loss-top", ...flags);
    expect(keptOf(rows)).toEqual(names(ranked(rows, byLoss).slice(0, 6)).sort(inOrder)); // of 12
  });
});

describe("second models", () => {
  test("sstoken without one ranks by attention alone and says so", async () => {
    const out = folder.path("attention.jsonl");
    const flags = ["--selector", "sstoken", "--set", "ratio=0.5", "--set", "keepEndOfTurn=false"];
    expect((await run(out, ...flags)).err).toContain("attention on the prompt alone");
    const rows = parse(out);
    const best = names(ranked(rows, (row, t) => row.promptAttention[t]!).filter(([r]) => r === 0)).slice(0, 4);
    expect(keptOf(rows).filter((name) => name.startsWith("0/"))).toEqual(best.sort(inOrder));
    expect(Object.keys(rows[0]!)).not.toContain("historyNll");
  });

  test("sstoken with --history-model ranks by what has improved as well", async () => {
    const flags = ["--set", "gamma=1", "--set", "ratio=0.5", "--set", "keepEndOfTurn=false"];
    const rows = await scored("--selector", "sstoken", ...flags, "--history-model", untied);
    const rel = (row: RowFacts, t: number) => row.historyNll![t]! - row.nll[t]!;
    const best = names(ranked(rows, rel).filter(([r]) => r === 0)).slice(0, 4);
    expect(keptOf(rows).filter((name) => name.startsWith("0/"))).toEqual(best.sort(inOrder));
  });

  test("--history-model adds historyNll, of every token, whatever the selector", async () => {
    const rows = await scored("--history-model", untied);
    const out = folder.path("history.jsonl");
    expect((await tokensift("score", "--model", untied, "--data", data, "--out", out)).code).toBe(0);
    expect(rows.map(({ historyNll }) => historyNll)).toEqual(parse(out).map(({ nll }) => nll));
    expect(rows[0]!.historyNll).not.toEqual(rows[0]!.nll);
  });

  test("rho1 keeps what the reference finds easier, and cannot do without it", async () => {
    const rows = await scored("--selector", "rho1", "--set", "ratio=0.5", "--reference-model", untied);
    const excess = (row: RowFacts, t: number) => row.nll[t]! - row.referenceNll![t]!;
    expect(keptOf(rows)).toEqual(names(ranked(rows, excess).slice(0, 6)).sort(inOrder));
    const { code, err } = await run(folder.path("none.jsonl"), "--selector", "rho1");
    expect([code, err]).toEqual([2, expect.stringContaining("--reference-model")]);
  });

  test("token-cleaning keeps, of all rows, what the reference finds easier than the base", async () => {
    const models = ["--history-model", tied, "--reference-model", untied];
    const flags = ["--selector", "token-cleaning", "--set", "scope=dataset", "--set", "ratio=0.5"];
    const rows = await scored(...flags, ...models, "--batch-size", "1");
    const gain = (row: RowFacts, t: number) => row.historyNll![t]! - row.referenceNll![t]!;
    expect(keptOf(rows)).toEqual(names(ranked(rows, gain).slice(0, 6)).sort(inOrder));
  });

  test("a model with another tokenizer is refused", async () => {
    const other = folder.copyModel("other");
    const file = join(other, "tokenizer.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"w46": 46', '"x46": 46'));
    const { code, err } = await run(folder.path("none.jsonl"), "--history-model", other);
    expect([code, err]).toEqual([2, expect.stringMatching(/--history-model .*other: its tokenizer is not that of/)]);
  });
});

describe.each(["jsonl", "arrow"])("training on the weights of a .%s file", (kind) => {
  afterAll(releaseEngine);

  test("keeps the tokens that the file keeps", async () => {
    const path = folder.path(`weights.${kind}`);
    expect((await run(path, "--selector", "loss-top", "--set", "ratio=0.5")).code).toBe(0);
    await useEngine("cpu", { threads: 1 });
    const dataset = await openDataset(path);
    const model = await loadModel(tied);
    const tokens = await tokenizeDataset(dataset, model.tokenizer);
    expect(dataset.format).toBe("tokens");
    expect(flat(tokens).columns["weights"]!.reduce((sum, weight) => sum + weight, 0)).toBe(8); // 4 + 2 + 1 + 1
    const state = newTrainingState(model, tokens);
    const rule = datasetWeights({ column: "weights" });
    const options = { tokens, rule, steps: 1, batchSize: 4, schedule: () => 1e-4, seed: 1 };
    for await (const record of train(state, options))
      expect(record).toMatchObject({ responseTokens: 12, keptTokens: 8 });
    expect(state.step).toBe(1);
    state.optimizer.dispose();
    model.dispose();
    await dataset.close();
  });
});

describe("the output", () => {
  test("is not replaced without --overwrite", async () => {
    const out = folder.write("mine.jsonl", "mine");
    const { code, err } = await tokensift("score", "--model", tied, "--data", data, "--out", out);
    expect([code, err]).toEqual([2, expect.stringMatching(/mine\.jsonl: the file exists[^]*--overwrite/)]);
    expect(readFileSync(out, "utf8")).toBe("mine");
  });

  test("stays as it was, with nothing beside it, when a later step fails", async () => {
    mkdirSync(folder.path("failing"));
    const out = folder.write("failing/out.jsonl", "mine");
    const module = folder.write(
      "rule.mjs",
      `export const rule = { name: "late", needs: [], scope: "response", divideBy: "kept",
        weigh: ({ response, rowIds }) => Float32Array.from(response, (r) => (rowIds.includes(3) ? NaN : r)) };`,
    );
    const { code, err } = await run(out, "--selector", module, "--batch-size", "1");
    expect([code, err]).toEqual([2, expect.stringMatching(/late: row 3, token 1: The weight is NaN/)]);
    expect(readdirSync(folder.path("failing"))).toEqual(["out.jsonl"]);
    expect(readFileSync(out, "utf8")).toBe("mine");
  });

  test.each([
    ["an extension that is not written", () => folder.path("out.csv"), /out\.csv: files of the kind \.csv/],
    ["a folder", () => (mkdirSync(folder.path("folder.jsonl")), folder.path("folder.jsonl")), /this is a folder/],
    ["the data itself", () => data, /the data file itself/],
  ])("%s is refused before anything is loaded", async (_name, out, message) => {
    const { code, err } = await run(out());
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
    expect(err).not.toContain("engine");
  });
});

describe("score refuses with exit code 2", () => {
  const cases: [string, string[], RegExp][] = [
    ["an unknown rule", ["--selector", "sstokn"], /sstoken/],
    ["an unknown option", ["--selector", "sstoken", "--set", "ration=0.5"], /ratio/],
    ["options without a rule", ["--set", "ratio=0.5"], /--selector/],
    ["a layer that is not there", ["--layer", "2"], /no layer 2[^]*0 to 1/],
    ["more tokens than the model reads", ["--max-tokens", "257"], /256/],
    ["an unknown format", ["--format", "token"], /--format[^]*Did you mean tokens/],
    ["a column that is not there", ["--selector", "dataset-weights", "--set", "column=mine"], /column "mine"/],
  ];
  test.each(cases)("%s", async (_name, argv, message) => {
    const out = folder.path("refused.jsonl");
    const { code, err } = await run(out, ...argv);
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
    expect(err).not.toMatch(/\n +at /);
    expect(existsSync(out)).toBe(false);
  });
});

function inOrder(a: string, b: string): number {
  const [[r, s], [q, t]] = [a, b].map((name) => name.split("/").map(Number)) as [[number, number], [number, number]];
  return r - q || s - t;
}
