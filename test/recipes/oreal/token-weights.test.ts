import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { writeArrow } from "../../../src/data/arrow/write.ts";
import { estimateTokens } from "../../../src/evaluation/critical/estimate-tokens.ts";
import { loadAdapter, loadModel, withAdapter } from "../../../src/model/index.ts";
import { responseBatch } from "../../../src/recipes/kit/responses/index.ts";
import { trajectoryColumns } from "../../../src/recipes/oreal/trajectories.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { userError } from "../../user-error.ts";
import { smallSolver } from "../small-run.ts";
import { wholeRun, type WholeRun } from "../whole-run.ts";
import { metricsOf, runHere, storedOf, type Stored } from "./run.ts";
import { writeOreal } from "./small-run.ts";

jest.setTimeout(120_000); // whole runs, on a machine that may be busy

let base: string;
let whole: WholeRun;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-weights-"));
  whole = await wholeRun("oreal");
  await useEngine("cpu", { threads: 1 });
}, 300_000);
afterAll(() => {
  releaseEngine();
  rmSync(base, { recursive: true });
});

const once = () => [`sampling.replay=${whole.output}`, "training.iterations=1", "training.saveEvery=0", "compare=[]"];
const keptOf = (output: string, iteration: number): Stored[] => storedOf(output, iteration).filter(({ kept }) => kept);
const mean = (values: Float32Array): number => values.reduce((a, b) => a + b, 0) / values.length;

test("an adapter's shift weighs nothing before it has learnt, then each answer's tokens with mean 1", async () => {
  const path = writeOreal(join(base, "shift"), {
    objective: { weights: { source: "adapter-shift" } },
    policy: { adapter: { rank: 2 }, learningRate: 1e-2 },
    top: { compare: [{ name: "shuffled", objective: { weights: { shuffled: true } } }] },
  });
  const set = [`sampling.replay=${whole.output}`, "training.iterations=2", "training.saveEvery=0"];
  const { output, tensors } = await runHere(path, { set });
  for (const { weights } of keptOf(output, 1)) expect(new Set(weights)).toEqual(new Set([1]));
  const later = keptOf(output, 2);
  expect(later.length).toBeGreaterThan(0);
  for (const { weights } of later) {
    expect(mean(weights!)).toBeCloseTo(1, 5);
    expect(new Set(weights).size).toBeGreaterThan(1);
  }
  expect(metricsOf(output).map(({ weightGini }) => weightGini! > 0)).toEqual([false, true]);
  const shuffled = keptOf(join(output, "shuffled"), 2);
  expect(shuffled.map(({ weights }) => weights)).not.toEqual(later.map(({ weights }) => weights));
  expect(tensors).toBe(0);
});

describe("the contrastive estimate of two adapters", () => {
  test("weighs the tokens of wrong answers by 1 - s, and those of right ones by 1", async () => {
    const contrast = join((await wholeRun("cdpo")).output, "stages/contrast-models");
    const [positive, negative] = ["positive", "negative"].map((side) => join(contrast, side, "adapter"));
    const path = writeOreal(join(base, "critical"), {
      objective: { weights: { source: "critical", positive, negative, contrast: 0.5 } },
    });
    const { output, tensors } = await runHere(path, { set: once() });
    expect(tensors).toBe(0);
    const kept = keptOf(output, 1);
    const right = kept.filter(({ verdict }) => verdict === "correct");
    const wrong = kept.filter(({ verdict }) => verdict !== "correct");
    expect(Math.min(right.length, wrong.length)).toBeGreaterThan(0);
    for (const { weights } of right) expect(new Set(weights)).toEqual(new Set([1]));

    const trunk = await loadModel(smallSolver);
    const [a, b] = await Promise.all([positive!, negative!].map(async (path) => loadAdapter(path, trunk)));
    const models = { positive: withAdapter(trunk, a!), negative: withAdapter(trunk, b!) };
    for (const { prompt_ids, response_ids, weights } of wrong) {
      const batch = responseBatch([{ prompt: [...prompt_ids], ids: [...response_ids], finished: true }]);
      const estimate = await estimateTokens(models, batch, { contrast: 0.5 });
      const own = estimate.filter((_, i) => batch.response[i] === 1);
      weights!.forEach((weight, t) => expect(weight).toBeCloseTo(1 - Math.exp(own[t]!), 5));
    }
    for (const model of [models.positive, models.negative, trunk]) model.dispose();
  });
});

describe("a column of the replayed trajectories", () => {
  /** A copy of the stored run whose first iteration has one more column. */
  function withColumn(name: string, credit: (row: Stored) => ArrayLike<number> | null): string {
    const folder = join(base, name);
    cpSync(join(whole.output, "trajectories"), join(folder, "trajectories"), { recursive: true });
    const file = join(folder, "trajectories/iteration-1.arrow");
    const table = openArrow(file);
    const names = [...table.columns.keys()];
    const rows = Array.from({ length: table.rows }, (_, i) => table.row(i, names) as unknown as Stored);
    table.close();
    writeArrow(
      file,
      { ...trajectoryColumns, credit: "list<float64>" },
      rows.map((row) => ({ ...row, credit: credit(row) })),
    );
    return folder;
  }
  const replaying = (folder: string, ...set: string[]) => [
    ...[`sampling.replay=${folder}`, "training.iterations=1", "training.saveEvery=0", "compare=[]", ...set],
  ];
  const column = "objective.weights={source: column, column: credit}";
  const credits = ({ response_ids }: Stored): number[] => Array.from(response_ids, (_, t) => t / 4);

  test("weighs each answer's tokens; a run's own learned weights are such a column, too", async () => {
    const path = writeOreal(join(base, "column"));
    const { output } = await runHere(path, { set: replaying(withColumn("credited", credits), column) });
    const kept = keptOf(output, 1);
    expect(kept.length).toBeGreaterThan(0);
    for (const row of kept) expect([...row.weights!]).toEqual(credits(row));
    const learned = "objective.weights={source: column, column: weights}";
    const again = await runHere(path, { set: [...once(), learned, `output=${join(base, "again")}`] });
    const weightsOf = (folder: string) => keptOf(folder, 1).map(({ weights }) => weights);
    expect(weightsOf(again.output)).toEqual(weightsOf(whole.output));
  });

  test("gives each token an advantage of its own", async () => {
    const path = writeOreal(join(base, "advantages"), {
      objective: { preset: "grpo", weights: { source: "none" } },
      top: { compare: [] },
    });
    const grpo = await runHere(path, { set: once() });
    const advantageOf = new Map(
      storedOf(grpo.output, 1).map((row) => [`${row.question} ${row.sample}`, row.advantage]),
    );
    const alike = withColumn("alike", ({ question, sample, response_ids }) =>
      Array.from(response_ids, () => advantageOf.get(`${question} ${sample}`)!),
    );
    const own = ["objective.advantage=column", "objective.advantageColumn=credit"];
    const output = join(base, "own-advantages");
    await runHere(path, { set: replaying(alike, ...own, `output=${output}`) });
    const [expected, actual] = [grpo.output, output].map((folder) => metricsOf(folder)[0]!);
    expect(actual!["loss"]).toBeCloseTo(expected!["loss"]!, 6);
    expect(actual!["gradNorm"]).toBeCloseTo(expected!["gradNorm"]!, 5);
    expect(expected!["gradNorm"]).toBeGreaterThan(0.01);
  });

  test("is refused where it is not there, empty for a learnt answer, negative or of another length", async () => {
    const path = writeOreal(join(base, "refused"), { top: { compare: [] } });
    let runs = 0;
    const refused = (folder: string) =>
      runHere(path, { set: replaying(folder, column, `output=${join(base, `refused-${++runs}`)}`) });
    await expect(refused(whole.output)).rejects.toThrow(userError("missing-column", /iteration-1\.arrow.*credit/s));
    const empty = withColumn("empty", (row) => (row.kept ? null : credits(row)));
    await expect(refused(empty)).rejects.toThrow(userError("missing-signal", /iteration-1\.arrow, row \d+.*credit/s));
    const negative = withColumn("negative", (row) => credits(row).map((weight) => weight - 0.1));
    await expect(refused(negative)).rejects.toThrow(
      userError("invalid-row", /credit must hold one finite .*0 or more/),
    );
    const short = withColumn("short", (row) => credits(row).slice(1));
    await expect(refused(short)).rejects.toThrow(userError("invalid-row", "credit must hold"));
  });
});
