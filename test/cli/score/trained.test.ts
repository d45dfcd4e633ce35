import { beforeAll, describe, expect, test } from "@jest/globals";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RowFacts } from "../../../src/cli/score/score-rows.ts";
import { makeBatch, openDataset, tokenizeDataset } from "../../../src/data/index.ts";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { loadGates } from "../../../src/eviction/gates/index.ts";
import { gatedPass } from "../../../src/eviction/gates/gated-pass.ts";
import { decideGates } from "../../../src/eviction/index.ts";
import { exemptTokens } from "../../../src/eviction/exemptions.ts";
import { forward, type Model } from "../../../src/model/index.ts";
import { rewardModelObjective } from "../../../src/reward/index.ts";
import { loadTokenRewardModel } from "../../../src/reward/model/index.ts";
import { adapterFixture, peftLogits } from "../../model/adapters/adapters.ts";
import { fixtures, referenceRows, temporaryFolder, tied, tokensift } from "../run.ts";
import { inLibrary, makeGates, makeReward } from "../trained.ts";

const folder = temporaryFolder();
const data = folder.writeRows("data.jsonl", referenceRows);
const untied = folder.copyModel("untied", join(fixtures, "model/untied")); // other weights, same tokenizer
for (const name of ["tokenizer.json", "tokenizer_config.json"])
  writeFileSync(join(untied, name), readFileSync(join(tied, name)));

function run(out: string, ...argv: string[]) {
  const model = argv.includes("--model") ? [] : ["--model", tied];
  return tokensift("score", ...model, "--data", data, "--out", out, "--overwrite", "--engine", "cpu", ...argv);
}

async function scored(...argv: string[]): Promise<RowFacts[]> {
  const out = folder.path("scored.jsonl");
  const { code, err } = await run(out, ...argv);
  if (code !== 0) throw new Error(err);
  return readFileSync(out, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RowFacts);
}

/** All rows as one batch, each column of which is compared with `[rows * width]` of the library. */
async function wholeBatch(model: Model) {
  const dataset = await openDataset(data);
  try {
    return makeBatch(await tokenizeDataset(dataset, model.tokenizer), [0, 1, 2, 3]);
  } finally {
    await dataset.close();
  }
}

function expectColumn(rows: readonly RowFacts[], name: keyof RowFacts, width: number, values: ArrayLike<number>): void {
  rows.forEach((row, r) => {
    const column = row[name] as unknown as number[];
    expect(column).toHaveLength(row.ids.length);
    column.forEach((value, t) => expect(value).toBeCloseTo(values[r * width + t]!, 4));
  });
}

describe("score --gates", () => {
  const use = { sinks: 0, window: 1, threshold: 0.5 };
  const gates = folder.path("gates");
  beforeAll(() => makeGates(gates, use));

  test.each([
    ["", [], use],
    [", with other exemptions", ["--sinks", "2", "--threshold", "0.4"], { ...use, sinks: 2, threshold: 0.4 }],
  ] as const)("gives the library's losses and decisions%s", async (_name, argv, settings) => {
    const library = await inLibrary(async (model) => {
      const batch = await wholeBatch(model);
      const loaded = await loadGates(gates, model);
      const attention = gatedPass(model, loaded, settings);
      using pass = forward(model, batch, { gradients: null, attention });
      const { logProb, gates: probabilities } = await pass.read(["logProb", "gates"]);
      const shape = { rows: batch.rows, width: batch.width, heads: 2, lengths: batch.lengths };
      const { evictable } = exemptTokens(shape, batch.response, settings);
      const layers = probabilities.map((p) => decideGates(p, { ...shape, evictable }, settings).keep);
      const share = Array.from(batch.response, (_, i) =>
        layers.reduce((sum, keep) => sum + (keep[2 * i]! + keep[2 * i + 1]!) / 4, 0),
      );
      return { width: batch.width, loss: logProb.map((x) => -x), share, evictable };
    });
    const rows = await scored("--gates", gates, ...argv, "--micro-batch-size", "2");
    expectColumn(rows, "gatedNll", library.width, library.loss);
    expectColumn(rows, "keptHeadShare", library.width, library.share);
    expect(new Set(library.share).size).toBeGreaterThan(2); // some tokens go, some stay, some in part
    for (const { response, keptHeadShare } of rows)
      response.forEach((mark, t) => expect(mark && keptHeadShare![t] !== 1).toBeFalsy());
  });

  test("of gates that rank a whole prompt gives what is left of it, and the losses over that", async () => {
    const folderOf = await makeGates(folder.path("budget-gates"), { sinks: 0, window: 1, ratio: 0.5 });
    const rows = await scored("--gates", folderOf);
    const whole = await scored("--gates", folderOf, "--keep", "1", "--micro-batch-size", "1");
    for (const [r, { ids, response, nll, gatedNll, keptHeadShare }] of rows.entries()) {
      const length = response.indexOf(1);
      const kept = keptHeadShare!.slice(0, length).reduce((a, b) => a + b, 0);
      expect(kept).toBeCloseTo(Math.ceil(length / 2), 4);
      expect(keptHeadShare!.slice(length)).toEqual(ids.slice(length).map(() => 1));
      expect(whole[r]!.keptHeadShare).toEqual(ids.map(() => 1));
      response.forEach((mark, t) => expect(whole[r]!.gatedNll![t]).toBeCloseTo(mark ? nll[t]! : 0, 4));
      expect(gatedNll![length]).toBeCloseTo(nll[length]!, 4); // what a prompt says itself is said before anything goes
    }
    expect(
      rows.some(({ nll, gatedNll, response }) =>
        response.some((m, t) => m && Math.abs(nll[t]! - gatedNll![t]!) > 0.01),
      ),
    ).toBe(true);
  });

  test("leaves the model's own columns and the weights as they are", async () => {
    const [plain, gated] = [
      await scored("--selector", "loss-top"),
      await scored("--selector", "loss-top", "--gates", gates),
    ];
    const own = gated.map(({ gatedNll: _nll, keptHeadShare: _share, ...row }) => row);
    expect(own).toEqual(plain);
    expect(gated[0]!.gatedNll).not.toEqual(gated[0]!.nll);
  });

  test("gives the full losses where nothing may be evicted, and says how much is kept", async () => {
    const out = folder.path("exempt.jsonl");
    const { err } = await run(out, "--gates", gates, "--window", "20");
    expect(err).toMatch(/the gates keep 100(\.0)? % of all entries; mean loss of response tokens ([\d.]+), .* \2\n/);
  });
});

describe("score --reward-model", () => {
  const adapted = folder.path("reward-adapter");
  const whole = folder.path("reward-whole");
  beforeAll(async () => {
    await makeReward(adapted, { adapter: true, scoreAt: "before" });
    await makeReward(whole, { adapter: false, path: untied });
  });

  /** Scores of the states that have read each token, by the library. */
  const scores = (path: string, trunk = tied) =>
    inLibrary(async (model) => {
      const batch = await wholeBatch(model);
      const reward = await loadTokenRewardModel(path, model);
      using pass = reward.pass(batch, null);
      const { score } = await pass.read(["score"]);
      return { score, width: batch.width, batch };
    }, trunk);

  const expectScores = (rows: RowFacts[], width: number, at: (i: number) => number) => {
    const score = (i: number): number => (rows[Math.floor(i / width)]!.response[i % width] ? at(i) : 0);
    const places = Array.from({ length: 4 * width }, (_, i) => i);
    const marked = (i: number): boolean => rows[Math.floor(i / width)]!.response[i % width] === 1;
    expectColumn(rows, "rewardScore", width, places.map(score));
    expectColumn(
      rows,
      "outcomeProbability",
      width,
      places.map((i) => (marked(i) ? 1 / (1 + Math.exp(-at(i))) : 0)),
    );
  };

  test("over --model, read where it was trained: before the token", async () => {
    const { score, width } = await scores(adapted);
    expectScores(await scored("--reward-model", adapted), width, (i) => score[i - 1]!);
  });

  test("--score-at token reads the state that has read the token", async () => {
    const { score, width } = await scores(adapted);
    expectScores(await scored("--reward-model", adapted, "--score-at", "token"), width, (i) => score[i]!);
  });

  test("as a whole model, which was saved without saying where it is read", async () => {
    const { score, width } = await scores(whole);
    expectScores(await scored("--reward-model", whole), width, (i) => score[i]!);
  });

  test("the sigmoid of a response's mean score is the probability that the loss is of", async () => {
    const { score, batch } = await scores(adapted);
    const objective = rewardModelObjective({ scoreAt: "before" });
    const { metrics } = objective.evaluate({ score }, batch, { right: [0, 0, 0, 0] });
    const rows = await scored("--reward-model", adapted);
    const probabilities = rows.map(({ rewardScore, response }) => {
      const own = Array.from(rewardScore!).filter((_, t) => response[t]);
      return 1 / (1 + Math.exp(-own.reduce((a, b) => a + b, 0) / own.length));
    });
    expect(probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(metrics["probability"]!, 4);
  });

  test("an adapter lies over --model without its own adapter, or over --reward-base; another base is told", async () => {
    const alone = await scored("--reward-model", adapted);
    const beside = await scored("--reward-model", adapted, "--adapter", adapterFixture("tied"));
    expect(beside.map(({ rewardScore }) => rewardScore)).toEqual(alone.map(({ rewardScore }) => rewardScore));
    expect(beside[0]!.nll).not.toEqual(alone[0]!.nll);
    const based = await scored("--model", untied, "--reward-model", adapted, "--reward-base", tied);
    expect(based.map(({ rewardScore }) => rewardScore)).toEqual(alone.map(({ rewardScore }) => rewardScore));
    const trained = folder.copyModel("retrained"); // of the same shape, with other weights
    const file = join(trained, "model.safetensors");
    const bytes = readFileSync(file);
    bytes.writeFloatLE(0.25, bytes.length - 4);
    writeFileSync(file, bytes);
    const { code, err } = await run(folder.path("told.jsonl"), "--model", trained, "--reward-model", adapted);
    expect([code, err]).toEqual([
      0,
      expect.stringMatching(/trained over another model than .*retrained; --reward-base/),
    ]);
  });
});

describe("score --adapter", () => {
  test("gives PEFT's losses, and the model's own as its history", async () => {
    const [plain] = await scored();
    const [adapted] = await scored("--adapter", adapterFixture("tied"), "--history-model", tied);
    expect(adapted!.historyNll).toEqual(plain!.nll);
    peftLogits("tied").forEach((logits, t) => {
      if (t + 1 >= adapted!.ids.length) return;
      const most = Math.max(...logits);
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0);
      const nll = most + Math.log(total) - logits[adapted!.ids[t + 1]!]!;
      expect(adapted!.nll[t + 1]).toBeCloseTo(nll, 4);
    });
  });
});

describe("columns", () => {
  const [gates, reward] = [folder.path("column-gates"), folder.path("column-reward")];
  beforeAll(async () => {
    await makeGates(gates, { sinks: 0, window: 1 });
    await makeReward(reward, { adapter: true });
  });

  test("stand in the order of the help, in both kinds of files", async () => {
    const argv = ["--gates", gates, "--reward-model", reward, "--history-model", tied, "--reference-model", untied];
    const order = ["rowId", "ids", "tokens", "response", "nll", "historyNll", "referenceNll", "promptAttention"].concat(
      ["entropy", "gatedNll", "keptHeadShare", "rewardScore", "outcomeProbability", "weights"],
    );
    const rows = await scored(...argv);
    expect(Object.keys(rows[0]!)).toEqual(order);
    const path = folder.path("all.arrow");
    expect((await run(path, ...argv)).code).toBe(0);
    const table = openArrow(path);
    expect([...table.columns.keys()]).toEqual(order);
    rows.forEach((row, r) => {
      const names = ["gatedNll", "keptHeadShare", "rewardScore", "outcomeProbability"] as const;
      const stored = table.row(r, names);
      for (const name of names)
        expect(Array.from(stored[name] as ArrayLike<number>)).toEqual(Array.from(row[name]!, Math.fround));
    });
    table.close();
    const { out } = await tokensift("score", "--help");
    const places = order.map(
      (name) => new RegExp(`\\b${name}\\b`).exec(out.slice(out.indexOf("One row per row")))!.index,
    );
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });
});

describe("score refuses with exit code 2", () => {
  const gates = folder.path("refused-gates");
  const whole = folder.path("refused-whole");
  const together = folder.path("refused-together");
  const headless = folder.path("refused-other");
  beforeAll(async () => {
    await makeGates(gates);
    await makeGates(together, undefined, { together: true });
    await makeReward(whole, { adapter: false });
    await makeReward(headless, { adapter: false });
    const tokenizer = join(headless, "model/tokenizer.json");
    writeFileSync(tokenizer, readFileSync(tokenizer, "utf8").replace('"w46": 46', '"x46": 46'));
  });
  const cases: [string, () => string[], RegExp][] = [
    ["a model given as a reward model", () => ["--reward-model", tied], /no token reward model in this folder/],
    [
      "a reward model with another tokenizer",
      () => ["--reward-model", headless],
      /--reward-model .*its tokenizer is not/,
    ],
    ["a base below a whole reward model", () => ["--reward-model", whole, "--reward-base", tied], /is a whole model/],
    ["a base without a reward model", () => ["--reward-base", tied], /--reward-base has no reward model/],
    ["a place of no score", () => ["--reward-model", whole, "--score-at", "after"], /--score-at.*token, before/],
    ["gates of another model's shape", () => ["--model", "models/tiny", "--gates", gates], /gates are for layers 2/],
    ["gates without what was trained with them", () => ["--gates", together], /trained together with an adapter/],
    ["a window without gates", () => ["--window", "3"], /--window has no gates to change/],
    ["a model given as an adapter", () => ["--adapter", untied], /holds a whole model, not an adapter/],
    ["an adapter given as the model", () => ["--model", adapterFixture("tied")], /only an adapter[^]*--adapter/],
  ];
  test.each(cases)("%s", async (_name, argv, message) => {
    const out = folder.path("refused.jsonl");
    const { code, err } = await run(out, ...argv());
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
    expect(err).not.toMatch(/\n +at /);
    expect(existsSync(out)).toBe(false);
  });
});
