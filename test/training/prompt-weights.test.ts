import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { namesOf } from "../../src/config/catalogue.ts";
import type { Divisor, TokenBatch, TokenRule } from "../../src/contract/index.ts";
import { forward, gradientStore, type Model } from "../../src/model/index.ts";
import { createFrom, rules, ssToken } from "../../src/selection/index.ts";
import { full } from "../../src/selection/full.ts";
import { lossTop } from "../../src/selection/loss-top.ts";
import { liveSource, planSignals, stepLoss, weighTogether } from "../../src/training/index.ts";
import { batchShare, stepTotals } from "../../src/training/reduce.ts";
import { context, makeTokens } from "../selection/tokens.ts";
import { accumulateRule } from "./accumulate-rule.ts";
import { batchOf, gradientsOf, openModel, readJson, relativeDistance, type Reference } from "./reference.ts";

describe("data weights, and prompts that train, by hand", () => {
  // row A: a prompt of two tokens, the second of which counts 0.5; responses of losses 1, 2, 4 that count 1, -1, 3
  const a = { response: [0, 0, 1, 1, 1], dataWeights: [0, 0.5, 1, -1, 3], nll: [0, 8, 1, 2, 4] };
  // row B: one prompt token; of the response one token counts nothing, which is not one of the response then
  const b = { response: [0, 1, 1, 1, 0], dataWeights: [0, 2, 0, 1, 0], nll: [0, 3, 9, 5, 0] };
  const batch = (rows: (typeof a)[], firstRow = 0) => ({
    ...{ rows: rows.length, width: 5, rowIds: Float64Array.from(rows, (_, i) => firstRow + i) },
    endOfTurn: new Uint8Array(5 * rows.length),
    response: Uint8Array.from(rows.flatMap(({ response }) => response)),
    dataWeights: Float32Array.from(rows.flatMap(({ dataWeights }) => dataWeights)),
    signals: { nll: Float32Array.from(rows.flatMap(({ nll, response }) => nll.map((loss, t) => loss * response[t]!))) },
  });
  const allLosses = (rows: (typeof a)[]) => Float32Array.from(rows.flatMap(({ nll }) => nll));
  const lossUnder = (rule: TokenRule<"nll">, parts: (typeof a)[][]): number => {
    const batches = parts.map((rows, m) => batch(rows, parts.slice(0, m).flat().length));
    const { weights } = weighTogether(rule, batches, context());
    return stepLoss(
      batches.map((each, m) => ({ ...each, weights: weights[m]!, nll: allLosses(parts[m]!) })),
      rule,
    ).loss;
  };

  // all kept: 0.5 * 8 + 1 - 2 + 3 * 4 + 2 * 3 + 5 = 26
  test.each<[Divisor, number]>([
    ["kept", 26 / 6], // 0.5, 1, -1, 3, 2 and 1 are not 0
    ["weights", 26 / 8.5], // the sum of their absolute values
    ["response", 26 / 5], // three and two tokens of responses
    ["sequence", (15 / 4 + 11 / 2) / 2],
  ])("all kept, divided by %s", (divideBy, loss) => {
    const rule = { ...full(), divideBy } as TokenRule<"nll">;
    for (const parts of [[[a, b]], [[a], [b]], [[b], [a]]]) expect(lossUnder(rule, parts)).toBeCloseTo(loss, 6);
  });

  // of three responses' tokens in A two are kept, 2 and 4; of two in B one, 5; the prompt's token is not ranked
  test.each<[Divisor, number]>([
    ["kept", (4 - 2 + 12 + 5) / 4],
    ["weights", (4 - 2 + 12 + 5) / 5.5],
    ["response", (4 - 2 + 12 + 5) / 5],
  ])("half kept by their loss, divided by %s", (divideBy, loss) => {
    const rule: TokenRule<"nll"> = { ...lossTop({ ratio: 0.5, scope: "response" }), divideBy };
    for (const parts of [[[a, b]], [[a], [b]]]) expect(lossUnder(rule, parts)).toBeCloseTo(loss, 6);
  });

  test("the kept tokens of responses are counted apart from those of prompts", () => {
    const rows = batch([a, b]);
    const { weights } = weighTogether(full(), [rows], context());
    const share = batchShare({ ...rows, weights: weights[0]! }, { divideBy: "kept" });
    expect(stepTotals([share])).toMatchObject({ kept: 6, keptResponse: 5, eligible: 5, weightSum: 6.5 });
  });
});

describe("no rule ranks the tokens of a prompt", () => {
  test.each(namesOf(rules))("%s gives responses the same weights whether prompts train or not", (method) => {
    const rule = createFrom(rules, { method });
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 0.5, 2), { minLength: 20, maxLength: 20 }), (values) => {
        const tokens = makeTokens(["PPrrr", "Prrrrrrr", "PPPrr", "Prr"]);
        const columns = Object.fromEntries(
          rule.needs.filter((need) => need.startsWith("column:")).map((need) => [need, tokens.signals.nll]),
        );
        const given = { ...tokens, signals: { ...tokens.signals, ...columns } } as typeof tokens;
        const places = [...given.response.keys()];
        const dataWeights = Float32Array.from(places, (i) =>
          given.response[i] === 1 ? 1 : i % given.width === 0 ? 0 : values[i % values.length]!,
        );
        const plain = rule.scope === "dataset" ? undefined : weighTogether(rule, [given], context());
        const trained = weighTogether(rule, [{ ...given, dataWeights }], context());
        const before = plain ?? weighTogether(rule, [given], context());
        expect(trained.metrics).toEqual(before.metrics);
        for (const i of places)
          expect(trained.weights[0]![i]).toBe(given.response[i] === 1 ? before.weights[0]![i] : dataWeights[i]);
      }),
      { numRuns: 10 },
    );
  });
});

describe("a model whose prompts train", () => {
  const reference = readJson<Reference>("reference.json");
  let model: Model;
  let history: Model;
  beforeAll(async () => {
    model = await openModel("tied");
    history = await openModel("tied", "history");
  });
  afterAll(() => {
    model.dispose();
    history.dispose();
  });

  const chosen = [0, 1, 2, 3];
  const withPrompts = (rows: readonly number[], weight = 0.5): TokenBatch => {
    const batch = batchOf(reference, rows);
    const dataWeights = Float32Array.from(batch.response, (mark, i) => {
      const t = i % batch.width;
      const row = Math.floor(i / batch.width);
      if (mark === 1 || t === 0 || t >= batch.lengths[row]!) return mark;
      return weight;
    });
    return { ...batch, dataWeights };
  };

  test("predicts their tokens, and pays attention to the same prompt", async () => {
    const read = async (batch: TokenBatch, positions: "response" | "all" = "response") => {
      using pass = forward(model, batch, { gradients: null, promptAttention: { layer: -1 }, positions });
      return pass.read(["logProb", "promptAttention"]);
    };
    const [plain, trained] = [await read(batchOf(reference, chosen)), await read(withPrompts(chosen))];
    expect(trained.promptAttention).toEqual(plain.promptAttention);
    const all = await read(batchOf(reference, chosen), "all");
    expect(trained.logProb).toEqual(all.logProb);
    expect(trained.logProb).not.toEqual(plain.logProb);
  });

  test("has the loss and the gradient of the weighted sum over prompts and responses, in micro-batches of any size", async () => {
    const rule = ssToken({ ratio: 0.5 });
    const sources = [liveSource("historyNll", history)];
    const plan = planSignals(rule, sources);
    const step = async (batches: readonly TokenBatch[]) => {
      const store = gradientStore();
      const outcome = await accumulateRule({ model, rule, plan, batches, context: context(), gradients: store });
      const gradients = await gradientsOf(model, store, 1);
      store.clear();
      return { outcome, gradients };
    };
    const whole = withPrompts(chosen);
    const together = await step([whole]);
    const apart = await step([withPrompts([0]), withPrompts([1, 2]), withPrompts([3])]);
    expect(relativeDistance(apart.gradients, together.gradients)).toBeLessThan(1e-6);
    expect(apart.outcome.loss).toBeCloseTo(together.outcome.loss, 6);

    const { logProb } = await forward(model, whole, { gradients: null }).read(["logProb"]);
    const weights = (await step([batchOf(reference, chosen)])).outcome.weights[0]!;
    const isPrompt = (i: number): boolean => whole.response[i] === 0 && whole.dataWeights![i] !== 0;
    let [sum, kept] = [0, 0];
    logProb.forEach((value, i) => {
      const weight = isPrompt(i) ? 0.5 : weights[i]!;
      sum -= weight * value;
      kept += Number(weight !== 0);
    });
    expect(together.outcome.kept).toBe(kept);
    expect(together.outcome.loss).toBeCloseTo(sum / kept, 5);
    expect(together.outcome.kept).toBeGreaterThan(together.outcome.keptResponse);
    expect(whole.response.some((mark, i) => mark === 0 && isPrompt(i))).toBe(true);
  });
});
