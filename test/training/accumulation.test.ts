import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import type { Divisor, SignalSource, TokenBatch, TokenRule } from "../../src/contract/index.ts";
import { gradientStore, type Model } from "../../src/model/index.ts";
import { namesOf } from "../../src/config/catalogue.ts";
import { createFrom, rules, ssToken } from "../../src/selection/index.ts";
import { full } from "../../src/selection/full.ts";
import { lossTop } from "../../src/selection/loss-top.ts";
import { rho1 } from "../../src/selection/rho1.ts";
import { liveSource, planSignals } from "../../src/training/index.ts";
import { context } from "../selection/tokens.ts";
import { userError } from "../user-error.ts";
import { accumulateRule, type AccumulatedRule } from "./accumulate-rule.ts";
import { batchOf, gradientsOf, openModel, readJson, relativeDistance, type Reference } from "./reference.ts";

const reference = readJson<Reference>("reference.json");
const rows = [...reference.ids.keys()];

let model: Model;
let sources: SignalSource[];
beforeAll(async () => {
  model = await openModel("tied");
  other = await openModel("tied", "history");
  third = await openModel("untied");
  sources = [liveSource("historyNll", other), liveSource("referenceNll", third)];
});
let other: Model;
let third: Model;
afterAll(() => {
  model.dispose();
  other.dispose();
  third.dispose();
});

/** Rows of the reference with a made-up column of weights, some negative. */
function withWeights(chosen: readonly number[], width?: number): TokenBatch {
  const batch = batchOf(reference, chosen, width);
  const weights = batch.ids.map((id, i) => (id + 3 * (i % batch.width)) % 7);
  return { ...batch, columns: { token_weights: Float32Array.from(weights, (weight) => (weight - 1) / 4) } };
}

async function stepOf(
  rule: TokenRule,
  batches: readonly TokenBatch[],
): Promise<{ outcome: AccumulatedRule; gradients: Map<string, Float32Array> }> {
  const store = gradientStore();
  const plan = planSignals(rule, sources, third);
  const outcome = await accumulateRule({ model, rule, plan, batches, context: context(), gradients: store });
  const gradients = await gradientsOf(model, store, 1);
  store.clear();
  return { outcome, gradients };
}

/** 1 x 8, 2 x 4, 4 x 2, 8 x 1, and an uneven division. */
const divisions = [8, 4, 2, 1, 3].map((size) =>
  Array.from({ length: Math.ceil(8 / size) }, (_, i) => rows.slice(i * size, (i + 1) * size)),
);

const divisors: Divisor[] = ["kept", "response", "weights", "sequence", "sequence-budget"];
/** Options without which a made-up step would train nothing, or rank over the dataset. */
const inStep: Record<string, object> = { profit: { threshold: 0.005 }, "token-cleaning": { scope: "step" } };
const variants: [string, object][] = [
  ["loss-top", { scope: "step", ratio: 0.3 }],
  ["sstoken", { preset: "paper" }],
  ["sstoken", { keepBelow: 0.1, layer: 0 }],
  ["rho1", { scope: "response" }],
  ["high-entropy", { ratio: 0.3 }],
  ["iw-sft", { preset: "released" }],
];
const made = [...namesOf(rules).map((method): [string, object] => [method, inStep[method] ?? {}]), ...variants].map(
  ([method, options]) => ({
    name: `${method} ${JSON.stringify(options)}`,
    make(divideBy: Divisor): TokenRule {
      const rule = createFrom(rules, { method, ...options });
      return { ...rule, divideBy, ratio: rule.ratio ?? 1 };
    },
  }),
);

/** Every rule meets every divisor and every division, and every divisor meets every division; one rule all pairs. */
function divisionsFor(name: string, divisor: number): number[][][] {
  const several = divisions.slice(1);
  const own = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0); // other rules do not change it
  return name === made[0]!.name ? several : [several[(own + divisor) % several.length]!];
}

describe.each(made)("the step of $name", ({ name, make }) => {
  test.each(divisors)("is the same however it is divided into micro-batches, divided by %s", async (divideBy) => {
    const whole = await stepOf(make(divideBy), [withWeights(rows)]);
    expect(whole.outcome.loss).not.toBe(0);
    for (const division of divisionsFor(name, divisors.indexOf(divideBy))) {
      const parts = await stepOf(
        make(divideBy),
        division.map((chosen) => withWeights(chosen)),
      );
      expect(Math.abs(parts.outcome.loss / whole.outcome.loss - 1)).toBeLessThan(3e-6);
      expect(Math.abs(parts.outcome.lossAllTokens / whole.outcome.lossAllTokens - 1)).toBeLessThan(1e-6);
      expect(relativeDistance(parts.gradients, whole.gradients)).toBeLessThan(3e-6);
      const { kept, eligible, weightSum } = whole.outcome;
      expect(parts.outcome).toMatchObject({ kept, eligible });
      expect(parts.outcome.weightSum).toBeCloseTo(weightSum, 5);
    }
  });

  test("differs with the micro-batches when divided by micro-batch, and by nothing else", async () => {
    const [whole, parts] = [
      await stepOf(make("micro-batch"), [withWeights(rows)]),
      await stepOf(
        make("micro-batch"),
        divisions[1]!.map((chosen) => withWeights(chosen)),
      ),
    ];
    expect(Math.abs(parts.outcome.loss / whole.outcome.loss - 1)).toBeGreaterThan(1e-3);
    expect(parts.outcome.kept).toBe(whole.outcome.kept);
  });

  test("of one row is that of the same row in a padded batch", async () => {
    // the second batch holds the row beside others whose weights are 0
    const made = make("response");
    const weighing = made.anchor === undefined ? made : { ...made, anchor: 0 }; // an anchor holds the other rows, too
    for (const b of [0, 1, 2]) {
      const alone = await stepOf(weighing, [withWeights([b])]);
      const onlyRow: TokenRule = {
        ...weighing,
        scope: "step",
        weigh(tokens, given) {
          const own = made.weigh(rowOf(tokens, 1), given);
          const weights = new Float32Array(tokens.rows * tokens.width);
          weights.set(own, tokens.width);
          return weights;
        },
      };
      const padded = await stepOf(onlyRow, [withWeights([3, b, 5], 30)]);
      expect([alone, padded].map(({ outcome }) => Number.isFinite(outcome.loss))).toEqual([true, true]);
      if (alone.outcome.kept === 0) continue; // a lawful rule may keep nothing of a short response
      const scale = alone.outcome.eligible / padded.outcome.eligible;
      expect(Math.abs(alone.outcome.loss * scale - padded.outcome.loss)).toBeLessThan(1e-5);
      const scaled = new Map([...padded.gradients].map(([name, values]) => [name, values.map((x) => x / scale)]));
      expect(relativeDistance(scaled, alone.gradients)).toBeLessThan(1e-5);
    }
  });
});

type Seen = Parameters<TokenRule["weigh"]>[0];

/** One row of a batch as a batch of its own, still padded. */
function rowOf(tokens: Seen, row: number): Seen {
  const cut = <A extends Uint8Array | Float32Array>(array: A): A =>
    array.slice(row * tokens.width, (row + 1) * tokens.width) as A;
  const signals = Object.entries(tokens.signals).map(([name, values]) => [name, cut(values)]);
  return {
    rows: 1,
    width: tokens.width,
    rowIds: tokens.rowIds.slice(row, row + 1),
    response: cut(tokens.response),
    endOfTurn: cut(tokens.endOfTurn),
    signals: Object.fromEntries(signals) as Seen["signals"],
  };
}

describe("a step", () => {
  const halves = [withWeights(rows.slice(0, 4)), withWeights(rows.slice(4))];

  test.each(["response", "step"] as const)("asks a rule of scope %s once, with all its rows", async (scope) => {
    const asked: number[] = [];
    const rule = lossTop({ scope, ratio: 0.3 });
    const counting: TokenRule = {
      ...rule,
      weigh(tokens, given) {
        asked.push(tokens.rows);
        return rule.weigh(tokens as Parameters<typeof rule.weigh>[0], given);
      },
    };
    await stepOf(counting, halves);
    expect(asked).toEqual([8]);
  });

  test("refuses a rule that ranks over the dataset", async () => {
    await expect(stepOf(rho1({ scope: "dataset" }), halves)).rejects.toThrow(
      userError("rule-not-stepwise", /rho1[^]*tokensift score/),
    );
  });

  test("without a kept token is empty, and has no gradient", async () => {
    const none: TokenRule = { ...full(), weigh: ({ response }) => new Float32Array(response.length) };
    for (const divideBy of [...divisors, "micro-batch"] as const) {
      const { outcome, gradients } = await stepOf({ ...none, divideBy }, halves);
      expect(outcome).toMatchObject({ empty: true, loss: 0, kept: 0, eligible: 46 });
      expect(Number.isFinite(outcome.lossAllTokens)).toBe(true);
      expect([...gradients.values()].every((values) => values.every((x) => x === 0))).toBe(true);
    }
  });

  test.each(["full", "sstoken", "rho1"] as const)("of %s takes a micro-batch without any response", async (name) => {
    const make = { full, sstoken: ssToken, rho1 }[name];
    const chosen = [0, 6, 1]; // row 6 is prompt alone
    const together = await stepOf(make(), [withWeights(chosen)]);
    const apart = await stepOf(
      make(),
      chosen.map((b) => withWeights([b])),
    );
    expect(Math.abs(apart.outcome.loss - together.outcome.loss)).toBeLessThan(1e-6);
    expect(relativeDistance(apart.gradients, together.gradients)).toBeLessThan(1e-6);
    expect((await stepOf(make(), [withWeights([6])])).outcome).toMatchObject({ empty: true, loss: 0, eligible: 0 });
  });

  test("with negative weights is divided by their absolute sum", async () => {
    const negative: TokenRule = {
      ...full(),
      divideBy: "weights",
      weigh: ({ response }) => Float32Array.from(response, (r) => -r),
    };
    const { outcome } = await stepOf(negative, halves);
    expect(outcome.weightSum).toBe(-46);
    expect(outcome.loss).toBeCloseTo(-outcome.lossAllTokens, 5);
  });

  test("names row and token where a loss is not finite", async () => {
    const embedding = model.embedding as tf.Variable<tf.Rank.R2>;
    const before = embedding.clone();
    embedding.assign(tf.mul(before, Infinity));
    await expect(stepOf(full(), halves)).rejects.toThrow(userError("not-finite", /row 0, token \d/));
    embedding.assign(before);
    before.dispose();
  });
});
