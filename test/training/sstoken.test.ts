import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { TokenBatch } from "../../src/contract/index.ts";
import { forward, gradientStore, type Model } from "../../src/model/index.ts";
import { ssToken } from "../../src/selection/index.ts";
import type { SsTokenOptions } from "../../src/selection/sstoken-options.ts";
import { columnSource, liveSource, planSignals, scoreLosses } from "../../src/training/index.ts";
import { readSignals } from "../../src/training/signals.ts";
import { readTensors } from "../model/reference.ts";
import { context } from "../selection/tokens.ts";
import { accumulateRule } from "./accumulate-rule.ts";
import {
  batchOf,
  datasetOf,
  fixture,
  gradientsOf,
  openModel,
  readJson,
  relativeDistance,
  type Case,
  type Reference,
} from "./reference.ts";

const reference = readJson<Reference>("reference.json");
const batches = reference.microBatches.map((rows) => batchOf(reference, rows));
const models = {} as Record<Case, { model: Model; history: Model }>;

beforeAll(async () => {
  for (const name of ["tied", "untied"] as const)
    models[name] = { model: await openModel(name), history: await openModel(name, "history") };
});
afterAll(() => {
  for (const { model, history } of Object.values(models)) {
    model.dispose();
    history.dispose();
  }
});

function planOf({ model, options, ownHistory }: Reference["cases"][number]) {
  const rule = ssToken(options as SsTokenOptions);
  const opened = models[model];
  const history = liveSource("historyNll", ownHistory ? opened.model : opened.history);
  const sources = rule.needs.includes("historyNll") ? [history] : [];
  return { rule, ...opened, plan: planSignals(rule, sources) };
}

/** By row of the reference: the marks of its tokens. */
function marks(weights: readonly Float32Array[]): string[] {
  const rows: string[] = [];
  reference.microBatches.forEach((chosen, m) =>
    chosen.forEach((b, row) => {
      const start = row * batches[m]!.width;
      const length = reference.ids[b]!.length;
      rows[b] = weights[m]!.subarray(start, start + length).join("");
    }),
  );
  return rows;
}

describe.each(reference.cases)("ssToken on the $model model, $name", (expected) => {
  test("scores, keeps and differentiates as PyTorch does", async () => {
    const { rule, model, plan } = planOf(expected);
    const { samplesSeen } = expected;
    const gradients = gradientStore();
    const step = { model, rule, plan, batches, context: context({ samplesSeen }), gradients };
    const outcome = await accumulateRule(step);

    expect(marks(outcome.weights)).toEqual(expected.kept);
    expect(Math.abs(outcome.loss - expected.loss)).toBeLessThan(1e-5 * Math.max(1, expected.loss));
    expect(Math.abs(outcome.lossAllTokens - expected.lossAllTokens)).toBeLessThan(1e-5);

    const actual = await gradientsOf(model, gradients, 1);
    const norms = Object.values(expected.gradients).map(([, norm]) => norm);
    for (const [name, [sum, norm]] of Object.entries(expected.gradients)) {
      const values = actual.get(name)!;
      const tolerance = 1e-5 * Math.max(...norms) * Math.sqrt(values.length);
      expect(Math.abs(values.reduce((a, b) => a + b, 0) - sum)).toBeLessThan(tolerance);
      expect(Math.abs(Math.hypot(...values) - norm)).toBeLessThan(tolerance);
    }
    gradients.clear();

    for (const [m, batch] of batches.entries()) {
      const scores = await scoresOf(expected, batch);
      for (const [row, b] of reference.microBatches[m]!.entries())
        expected.scores[b]!.forEach((score, i) => expect(Math.abs(scores[row]![i]! - score)).toBeLessThan(1e-5));
    }
  });
});

/** Of each row, the scores of its response tokens. */
async function scoresOf(expected: Reference["cases"][number], batch: TokenBatch): Promise<number[][]> {
  const { rule, model, plan } = planOf(expected);
  using pass = forward(model, batch, { gradients: null, ...plan.pass });
  const { tokens } = await readSignals(pass, batch, plan);
  const scores = rule.score.score(tokens, context({ samplesSeen: expected.samplesSeen }));
  return Array.from({ length: batch.rows }, (_, row) =>
    [...scores.subarray(row * batch.width, (row + 1) * batch.width)].filter(
      (_, t) => batch.response[row * batch.width + t],
    ),
  );
}

describe.each(["tied", "untied"] as const)("the gradient of every weight of the %s model", (name) => {
  const cases = reference.cases.filter(({ model }) => model === name);
  test.each(["paper", "released, after", "recommended"].filter((each) => name === "tied" || !each.startsWith("rel")))(
    "is PyTorch's: %s",
    async (wanted) => {
      const expected = cases.find((each) => each.name === wanted)!;
      const { rule, model, plan } = planOf(expected);
      const gradients = gradientStore();
      const step = { model, rule, plan, batches, context: context({ samplesSeen: expected.samplesSeen }), gradients };
      await accumulateRule(step);
      const saved = await readTensors(fixture(name, "gradients.safetensors"));
      const own = [...saved].filter(([key]) => key.startsWith(`${wanted}/`));
      const theirs = new Map(own.map(([key, values]) => [key.slice(wanted.length + 1), values]));
      expect(theirs.size).toBe(model.parameters.length);
      expect(relativeDistance(await gradientsOf(model, gradients, 1), theirs)).toBeLessThan(1e-5);
      gradients.clear();
    },
  );
});

test("a column of history losses keeps the same tokens as the history model itself", async () => {
  const expected = reference.cases.find(({ name }) => name === "recommended")!;
  const { rule, model, history } = planOf(expected);
  const tokens = datasetOf(reference);
  const losses = new Float32Array(tokens.ids.length);
  for (const index of reference.ids.keys())
    losses.set(await scoreLosses(history, batchOf(reference, [index])), tokens.offsets[index]);
  const plan = planSignals(rule, [columnSource("historyNll", tokens, losses)]);
  const gradients = gradientStore();
  const outcome = await accumulateRule({ model, rule, plan, batches, context: context(), gradients });
  gradients.clear();
  expect(marks(outcome.weights)).toEqual(expected.kept);
});
