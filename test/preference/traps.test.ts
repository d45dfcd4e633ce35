import { describe, expect, test } from "@jest/globals";
import { criticalTokenDpo, dpo, weightedDpo } from "../../src/preference/index.ts";
import { columnDpo } from "../../src/preference/forms/columns.ts";
import { confPo } from "../../src/preference/forms/confpo.ts";
import { ldDpo } from "../../src/preference/forms/ld-dpo.ts";
import { rpo } from "../../src/preference/forms/rpo.ts";
import { tdpo } from "../../src/preference/forms/tdpo.ts";
import { temporalDecayDpo } from "../../src/preference/forms/temporal-decay.ts";
import { criticalTokens, temporalDecay } from "../../src/preference/weighting.ts";
import { checkStartsAtReference } from "../../src/preference/reference.ts";
import { logSigmoid } from "../../src/preference/log-sigmoid.ts";
import { userError } from "../user-error.ts";
import { makePairs } from "./batches.ts";

const made = makePairs(["PPrre", "PPrrrre"]);
const { tokens, logProb, forwardKl, batch } = made;
const chosenGradient = (d: Float32Array) => [...d.slice(0, 7)].map((x) => x !== 0);

describe("tokens", () => {
  test("the first response token is trained", () => {
    const { dLogProb } = dpo().evaluate({ logProb }, tokens, batch).terms.preference;
    expect(chosenGradient(dLogProb)).toEqual([false, false, true, true, true, false, false]);
    expect(dLogProb[9]).not.toBe(0);
  });

  test("the end of a turn is trained, also where padding follows with the same id", () => {
    // nothing here sees an id: the masks alone say what is padding
    const { dLogProb } = criticalTokenDpo().evaluate({ logProb }, tokens, batch).terms.preference;
    expect(dLogProb[4]).not.toBe(0);
    expect(dLogProb[13]).not.toBe(0);
    expect([dLogProb[5], dLogProb[6]]).toEqual([0, 0]);
  });

  test("the end of a turn keeps its weight: its own estimate, or 1 with endOfTurn one", () => {
    const side = { side: "rejected", places: Int32Array.of(9, 13), otherLength: 3, tokens, batch, logProb } as const;
    const s = Math.exp(batch.logEstimate[13]!);
    expect(criticalTokens()(side)[1]).toBeCloseTo(1 - s, 12);
    expect(criticalTokens({ endOfTurn: "one" })(side)[1]).toBe(1);
    expect(criticalTokens({ endOfTurn: "one" })(side)[0]).toBeCloseTo(1 - Math.exp(batch.logEstimate[9]!), 12);
    expect(criticalTokens({ endOfTurn: "one", threshold: 0.5 })(side)[1]).toBe(1);
  });

  test("a pair with an empty response is refused by name", () => {
    const bad = makePairs(["PPrre", "PP"]);
    expect(() => dpo().evaluate({ logProb: bad.logProb }, bad.tokens, bad.batch)).toThrow(
      userError("no-response", "pair 0, row 101"),
    );
    // a response in the first place of a row has nothing that predicts it
    const first = makePairs(["PPrre", "r"]);
    expect(() => dpo().evaluate({ logProb: first.logProb }, first.tokens, first.batch)).toThrow(
      userError("no-response", "pair 0, row 101"),
    );
  });
});

describe("the reference", () => {
  test("gives margin 0 and loss log 2 before the first update, in every form that has one", () => {
    const equal = { ...batch, reference: logProb };
    const none = logProb.map(() => 0);
    checkStartsAtReference(logProb, logProb, tokens, batch.pairs);
    for (const form of [
      dpo(),
      ldDpo(),
      temporalDecayDpo(),
      columnDpo(),
      tdpo(),
      criticalTokenDpo(),
      criticalTokenDpo({ preset: "released" }),
    ]) {
      const { terms, metrics } = form.evaluate({ logProb, forwardKl: none }, tokens, equal);
      expect(metrics.weightedMargin).toBeCloseTo(0, 15);
      expect(terms.preference.sum / terms.preference.mass).toBeCloseTo(Math.LN2, 12);
    }
  });

  test("of another adapter, or taken after training started, is found, though its sums cancel", () => {
    const late = Float32Array.from(logProb);
    late[2]! += 0.5;
    late[3]! -= 0.5;
    expect(dpo().evaluate({ logProb }, tokens, { ...batch, reference: late }).metrics.chosenReward).toBeCloseTo(
      dpo().evaluate({ logProb }, tokens, { ...batch, reference: logProb }).metrics.chosenReward,
      6,
    );
    expect(() => checkStartsAtReference(logProb, late, tokens, batch.pairs)).toThrow(
      userError("reference-mismatch", /row 100, token [23]/),
    );
    late.fill(NaN);
    expect(() => checkStartsAtReference(logProb, late, tokens, batch.pairs)).toThrow(
      userError("reference-mismatch", "NaN"),
    );
  });

  test("is only needed by forms that have one", () => {
    const { pairs } = batch;
    expect(() => dpo().evaluate({ logProb }, tokens, { pairs })).toThrow(userError("wrong-shape", "batch.reference"));
    expect(() => dpo({ reference: "none" }).evaluate({ logProb }, tokens, { pairs })).not.toThrow();
    expect(() => confPo().evaluate({ logProb }, tokens, { pairs })).not.toThrow();
  });
});

describe("a pair with a response without a weight, where sums are divided by weights, is left out and counted", () => {
  const { tokens, batch, logProb } = makePairs(["Prre", "Prre", "Prre", "Prre"]);
  const other = confPo().evaluate({ logProb }, tokens, {
    pairs: { chosen: Int32Array.of(2), rejected: Int32Array.of(3) },
  });

  test.each([
    ["of equal probabilities", [0.1, 0.1, 0.1]], // whose mean rounds to more than 0.1
    ["of certain tokens", [1, 1, 1]],
  ])("a response %s", (_, probabilities) => {
    const equal = Float32Array.from(logProb);
    probabilities.forEach((p, t) => (equal[1 + t] = Math.log(p)));
    const { terms, metrics } = confPo().evaluate({ logProb: equal }, tokens, batch);
    expect(terms.preference.sum).toBe(other.terms.preference.sum);
    expect(terms.preference.mass).toBe(2);
    expect([...terms.preference.dLogProb.slice(0, 8)].every((x) => x === 0)).toBe(true);
    expect(terms.preference.dLogProb.slice(9, 12)).toEqual(other.terms.preference.dLogProb.slice(9, 12));
    expect([metrics.leftOut, other.metrics.leftOut]).toEqual([0.5, 0]);
    expect(metrics.weightedMargin).toBe(other.metrics.weightedMargin);
  });

  test("a column of zeros", () => {
    const weights = Float32Array.from(batch.weights);
    weights.fill(0, 4, 8);
    const form = columnDpo({ normalizer: "weights" });
    const { terms, metrics } = form.evaluate({ logProb }, tokens, { ...batch, weights });
    expect([...terms.preference.dLogProb.slice(0, 8)].every((x) => x === 0)).toBe(true);
    expect(metrics.leftOut).toBe(0.5);
    expect(columnDpo().evaluate({ logProb }, tokens, { ...batch, weights }).metrics.leftOut).toBeUndefined();
  });
});

describe("numbers", () => {
  const minusInfinity = Float32Array.from(logProb);
  minusInfinity[3] = -Infinity;
  const silent = { ...batch, weights: logProb.map((_, i) => Number(i !== 3)) };

  test("a weight of 0 silences an infinite log-probability", () => {
    const { terms, metrics } = columnDpo().evaluate({ logProb: minusInfinity }, tokens, silent);
    const without = columnDpo().evaluate({ logProb }, tokens, silent).terms.preference;
    expect(terms.preference.sum).toBe(without.sum);
    expect(terms.preference.dLogProb).toEqual(without.dLogProb);
    expect(Object.values(metrics).every(Number.isFinite)).toBe(true);
  });

  test("an infinite log-probability that counts is named", () => {
    expect(() => dpo().evaluate({ logProb: minusInfinity }, tokens, batch)).toThrow(
      userError("not-finite", "row 100, token 3"),
    );
    expect(() => columnDpo({ nll: 1 }).evaluate({ logProb: minusInfinity }, tokens, silent)).toThrow(
      userError("not-finite", "row 100, token 3"),
    );
    const spoilt = Float32Array.from(forwardKl);
    spoilt[4] = NaN;
    expect(() => tdpo().evaluate({ logProb, forwardKl: spoilt }, tokens, batch)).toThrow(
      userError("not-finite", "row 100, token 4: forwardKl"),
    );
  });

  test("a mask ranks by log s: very critical tokens do not tie at weight 1", () => {
    // 1 - e^-60 and 1 - e^-50 are both 1 in float64; ties would go to the earlier token
    const logEstimate = Float32Array.from(batch.logEstimate).fill(-1);
    logEstimate[9] = -50;
    logEstimate[12] = -60;
    const side = {
      side: "rejected",
      places: Int32Array.of(9, 10, 11, 12, 13),
      otherLength: 3,
      tokens,
      logProb,
    } as const;
    const mask = criticalTokens({ keep: { ratio: 0.2 } })({ ...side, batch: { ...batch, logEstimate } });
    expect([...mask]).toEqual([0, 0, 0, 1, 0]);
    logEstimate[11] = -Infinity;
    expect([...criticalTokens({ keep: { ratio: 0.2 } })({ ...side, batch: { ...batch, logEstimate } })]).toEqual([
      0, 0, 1, 0, 0,
    ]);
    const least = criticalTokens({ direction: "high", keep: { ratio: 0.2 } });
    expect([...least({ ...side, batch: { ...batch, logEstimate } })]).toEqual([0, 1, 0, 0, 0]);
  });

  test("weights of very critical and of certain tokens are exact", () => {
    const logEstimate = Float32Array.from(batch.logEstimate);
    [logEstimate[9], logEstimate[10], logEstimate[11]] = [-Infinity, 0, -1e-14];
    const side = { side: "rejected", places: Int32Array.of(9, 10, 11), otherLength: 3, tokens, logProb } as const;
    const weights = criticalTokens()({ ...side, batch: { ...batch, logEstimate } });
    expect([weights[0], weights[1]]).toEqual([1, 0]);
    expect(weights[2]! / 1e-14).toBeCloseTo(1, 5);
  });

  test("a token that one weighting silences stays silent, whatever the next one says", () => {
    const by = (weight: number) => ({
      by: ({ places }: { places: Int32Array }) => new Float64Array(places.length).fill(weight),
    });
    const { terms } = weightedDpo({ weights: [by(0), by(Infinity)] }).evaluate({ logProb }, tokens, batch);
    expect(terms.preference.sum).toBeCloseTo(Math.LN2, 12);
    expect(() => weightedDpo({ weights: [by(1), by(Infinity)] }).evaluate({ logProb }, tokens, batch)).toThrow(
      userError("invalid-weight", "row 100, token 2"),
    );
  });

  test("the loss of an all but certain preference keeps its digits", () => {
    // -log σ(x) = log(1 + e^-x), which is e^-x where x is large
    expect(logSigmoid(50) / -Math.exp(-50)).toBeCloseTo(1, 12);
    expect(logSigmoid(0)).toBe(-Math.LN2);
    expect(logSigmoid(-1e9)).toBe(-1e9);
  });

  test("a certain preference costs nothing and a certain mistake its margin", () => {
    const far = logProb.map((_, i) => (i < 7 ? 0 : -1e6));
    const zero = { ...batch, reference: logProb.map(() => 0) };
    expect(dpo().evaluate({ logProb: far }, tokens, zero).terms.preference.sum).toBe(0);
    const { chosen, rejected } = batch.pairs;
    const mistake = dpo().evaluate({ logProb: far }, tokens, {
      ...zero,
      pairs: { chosen: rejected, rejected: chosen },
    });
    // 5 tokens of -1e6, times β .1
    expect(mistake.terms.preference.sum / 5e5).toBeCloseTo(1, 9);
    expect(mistake.terms.preference.dLogProb[9]).toBeCloseTo(-0.1, 7);
  });

  test("mean one keeps the size of the gradient of a response whose weights are all alike", () => {
    const small = { ...batch, weights: logProb.map(() => 0.01) };
    expect(columnDpo({ meanOne: true }).evaluate({ logProb }, tokens, small).terms.preference.sum).toBeCloseTo(
      dpo().evaluate({ logProb }, tokens, batch).terms.preference.sum,
      6,
    );
    const none = { ...batch, weights: logProb.map(() => 0) };
    expect(columnDpo({ meanOne: true }).evaluate({ logProb }, tokens, none).terms.preference.sum).toBeCloseTo(
      Math.LN2,
      12,
    );
  });
});

describe("refusals", () => {
  const run = (change: object) => () =>
    columnDpo({ meanOne: true }).evaluate({ logProb }, tokens, { ...batch, ...change });
  const filled = (x: number) => logProb.map(() => x);
  test.each([
    [run({ weights: filled(NaN) }), userError("out-of-range", "row 100, token 2: weights is NaN")],
    [run({ weights: filled(-1) }), userError("nothing-to-divide-by", "row 100, token 2")],
    [run({ weights: new Float32Array(3) }), userError("wrong-shape", "batch.weights")],
    [
      run({ pairs: { chosen: Int32Array.of(0), rejected: Int32Array.of(0) } }),
      userError("invalid-pair", "pair 0: Row 0"),
    ],
    [
      run({ pairs: { chosen: Int32Array.of(0), rejected: Int32Array.of(2) } }),
      userError("invalid-pair", "pair 0: Row 2"),
    ],
    [
      run({ pairs: { chosen: Int32Array.of(0), rejected: Int32Array.of() } }),
      userError("wrong-shape", "1 chosen rows and 0 rejected"),
    ],
    [() => dpo().evaluate({ logProb: new Float32Array(3) }, tokens, batch), userError("wrong-shape", "logProb")],
    [
      () => criticalTokenDpo().evaluate({ logProb }, tokens, { ...batch, logEstimate: filled(0.1) }),
      userError("out-of-range", "row 101, token 2: logEstimate"),
    ],
    [() => dpo({ dpoBeta: 0 }), userError("invalid-option", "dpoBeta")],
    [() => dpo({ aggregation: "position", normalizer: "count" }), userError("invalid-option", "normalizer")],
    [() => dpo({ aggregation: "position", margin: 1 }), userError("invalid-option", "margin")],
    [() => dpo({ positionMean: "padded" }), userError("invalid-option", "positionMean")],
    [() => tdpo({ aggregation: "position" }), userError("invalid-option", /^tdpo\b/)],
    [() => tdpo({ reference: "none" }), userError("invalid-option", /^reference\b/)],
    [() => tdpo({ version: 3 as 2 }), userError("invalid-option", "tdpo.version")],
    [() => rpo({ nll: -1 }), userError("invalid-option", "nll")],
    [() => ldDpo({ beyond: 2 }), userError("invalid-option", "beyond")],
    [() => temporalDecay(0), userError("invalid-option", "decay")],
    [
      () => weightedDpo({ weights: [{ by: temporalDecay(1), sides: "left" as "both" }] }),
      userError("invalid-option", "sides"),
    ],
    [() => criticalTokenDpo({ sides: "left" as "both" }), userError("invalid-option", "sides")],
    [
      () => criticalTokenDpo({ preset: "best" as "paper" }),
      userError("invalid-option", /^preset .*paper, released, recommended/),
    ],
    [
      () => criticalTokenDpo({ threshold: 0.1, keep: { ratio: 0.5 } }),
      userError("invalid-option", /^threshold .* keep/),
    ],
    [() => criticalTokens({ threshold: 1 }), userError("invalid-option", "threshold")],
    [() => criticalTokens({ keep: { ratio: 2 } }), userError("invalid-option", "ratio")],
  ])("%#", (work, refusal) => {
    expect(work).toThrow(refusal);
  });
});
