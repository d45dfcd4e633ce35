import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ObjectiveFunction } from "../../src/contract/index.ts";
import {
  type PreferenceBatch,
  type PreferenceObjective,
  columnDpo,
  confPo,
  criticalTokenDpo,
  dpo,
  ldDpo,
  responseNll,
  rpo,
  tdpo,
  temporalDecayDpo,
  weightedDpo,
} from "../../src/preference/index.ts";
import { type Made, makePairs, onePair } from "./batches.ts";

const layout = ["PPrrrre", "PPrre", "PPPe", "PPPrrrrre", "PrrePPrre", "PrrePrrrre"];
const forms: [string, PreferenceObjective][] = [
  ["dpo", dpo()],
  ["rpo", rpo()],
  ["ldDpo", ldDpo()],
  ["temporalDecayDpo", temporalDecayDpo()],
  ["columnDpo, mean one", columnDpo({ meanOne: true })],
  ["tdpo 1", tdpo({ version: 1 })],
  ["tdpo 2", tdpo()],
  ["confPo", confPo()],
  ["criticalTokenDpo", criticalTokenDpo()],
  ["criticalTokenDpo, both sides, masked", criticalTokenDpo({ sides: "both", keep: { ratio: 0.5 } })],
  ["criticalTokenDpo, positions", criticalTokenDpo({ aggregation: "position" })],
];
const lossOf = ({ terms }: ReturnType<PreferenceObjective>) =>
  Object.values(terms).reduce((loss, { sum, mass }) => loss + sum / mass, 0);
const run = (objective: PreferenceObjective, { logProb, tokens, batch }: Made) => objective(logProb, tokens, batch);

test("the released program's mean announces its masses, prompt and padding included", () => {
  const objective = criticalTokenDpo({ preset: "released" });
  for (const padding of [0, 5]) {
    const made = makePairs(layout, { padding });
    const { mass } = run(objective, made).terms.preference;
    expect(objective.masses(made.tokens, made.batch.pairs)).toEqual({ preference: mass });
  }
});

test("plain fine-tuning gives the summed loss of the response tokens and its gradient", () => {
  const { tokens, logProb } = makePairs(["PPre", "rPre"], { padding: 1 });
  const { nll } = responseNll(logProb, tokens).terms;
  // the first token of the second row has nothing before it
  const places = [2, 3, 7, 8];
  expect(nll.sum).toBeCloseTo(-places.reduce((sum, i) => sum + logProb[i]!, 0), 5);
  expect([...nll.dLogProb]).toEqual(Array.from(logProb, (_, i) => (places.includes(i) ? -1 : 0)));
  expect([nll.mass, responseNll.masses(tokens)]).toEqual([4, { nll: 4 }]);
});

test("a form is an Objective of the contract", () => {
  const objective: ObjectiveFunction<PreferenceBatch> = dpo();
  expect(typeof objective).toBe("function");
});

describe.each(forms)("%s", (name, objective) => {
  test("padding changes nothing, whatever it holds", () => {
    const plain = run(objective, makePairs(layout));
    const padded = run(objective, makePairs(layout, { padding: 5 }));
    expect(padded.metrics).toEqual(plain.metrics);
    for (const [term, { sum, mass, dLogProb }] of Object.entries(plain.terms)) {
      const other = padded.terms[term as "preference"];
      expect([other.sum, other.mass]).toEqual([sum, mass]);
      const width = dLogProb.length / layout.length;
      layout.forEach((_, b) => {
        expect(other.dLogProb.slice(b * (width + 5), b * (width + 5) + width)).toEqual(
          dLogProb.slice(b * width, (b + 1) * width),
        );
        expect([...other.dLogProb.slice(b * (width + 5) + width, (b + 1) * (width + 5))]).toEqual([0, 0, 0, 0, 0]);
      });
    }
  });

  test("announces the masses that its terms then have", () => {
    for (const padding of [0, 5]) {
      const made = makePairs(layout, { padding });
      const { terms } = run(objective, made);
      const masses = Object.fromEntries(Object.entries(terms).map(([term, { mass }]) => [term, mass]));
      expect(objective.masses(made.tokens, made.batch.pairs)).toEqual(masses);
    }
  });

  test("accumulates: a batch's sums and masses are those of its pairs one by one", () => {
    const made = makePairs(layout);
    const whole = run(objective, made);
    const parts = [0, 1, 2].map((k) => run(objective, onePair(made, k, 10)));
    for (const term of Object.keys(whole.terms) as "preference"[]) {
      const { sum, mass, dLogProb } = whole.terms[term];
      expect(parts.reduce((total, part) => total + part.terms[term].sum, 0)).toBeCloseTo(sum, 10);
      expect(parts.reduce((total, part) => total + part.terms[term].mass, 0)).toBe(mass);
      parts.forEach((part, k) => {
        const rows = dLogProb.slice(2 * k * 10, (2 * k + 2) * 10);
        expect(part.terms[term].dLogProb).toEqual(rows);
      });
    }
  });

  test("gives prompts and padding no gradient", () => {
    const { tokens, ...rest } = makePairs(layout, { padding: 2 });
    for (const { dLogProb } of Object.values(run(objective, { tokens, ...rest }).terms))
      dLogProb.forEach((d, i) => expect(tokens.response[i] === 1 || d === 0).toBe(true));
  });

  test("stays finite for extreme log-ratios", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e6, max: 0, noNaN: true }), { minLength: 60, maxLength: 60 }), (xs) => {
        const made = makePairs(layout);
        const logProb = Float32Array.from(xs);
        const { terms, metrics } = run(objective, { ...made, logProb });
        for (const { sum, dLogProb } of Object.values(terms)) {
          expect(Number.isFinite(sum)).toBe(true);
          expect(dLogProb.every(Number.isFinite)).toBe(true);
        }
        expect(Object.values(metrics).every(Number.isFinite)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test("has the gradient of its own loss", () => {
    // a mask of ConfPO moves with the log-probabilities only where one crosses the mean: steps this small cross none
    const made = makePairs(layout);
    const { terms } = run(objective, made);
    for (const place of [2, 4, 6, 12, 14, 33, 38, 41, 51]) {
      const at = (sign: number) => {
        const logProb = Float32Array.from(made.logProb);
        logProb[place]! += sign * 2 ** -8;
        return [lossOf(run(objective, { ...made, logProb })), logProb[place]!] as const;
      };
      const [[up, x], [down, y]] = [at(1), at(-1)];
      const slope = Object.values(terms).reduce((sum, { mass, dLogProb }) => sum + dLogProb[place]! / mass, 0);
      expect((up - down) / (x - y)).toBeCloseTo(slope, 4);
    }
  });
});

describe("the family", () => {
  const made = makePairs(layout);
  const ones = { ...made, batch: { ...made.batch, weights: made.logProb.map(() => 1) } };

  test("with all weights 1 is DPO", () => {
    const expected = run(dpo(), made);
    for (const same of [
      columnDpo(),
      columnDpo({ meanOne: true }),
      ldDpo({ beyond: 1 }),
      temporalDecayDpo({ decay: 1 }),
      rpo({ nll: 0 }),
    ])
      expect(run(same, ones)).toEqual(expected);
    // s = 0 everywhere: every rejected token is critical
    const critical = { ...made, batch: { ...made.batch, logEstimate: made.logProb.map(() => -Infinity) } };
    expect(run(criticalTokenDpo({ dpoBeta: 0.1 }), critical)).toEqual(expected);
  });

  test("is not DPO where the contrasted models agree: s is then the token's probability", () => {
    const agreeing = { ...made, batch: { ...made.batch, logEstimate: made.logProb } };
    expect(lossOf(run(criticalTokenDpo({ dpoBeta: 0.1 }), agreeing))).not.toBeCloseTo(lossOf(run(dpo(), made)), 3);
  });

  test("changes the sign of the margin when the sides are swapped", () => {
    const { chosen, rejected } = made.batch.pairs;
    const swapped = { ...made, batch: { ...made.batch, pairs: { chosen: rejected, rejected: chosen } } };
    for (const form of [dpo(), ldDpo(), temporalDecayDpo(), columnDpo(), tdpo({ version: 1 })]) {
      const [one, other] = [run(form, made), run(form, swapped)];
      expect(other.metrics.weightedMargin).toBeCloseTo(-one.metrics.weightedMargin, 12);
      expect(other.metrics.rewardMargin).toBeCloseTo(-one.metrics.rewardMargin, 12);
      expect(other.metrics.accuracy).toBeCloseTo(1 - one.metrics.accuracy, 12);
    }
  });

  test("reports rewards of the worked example", () => {
    // chosen log-ratios 1 and 2, rejected -1: β .5 gives 1.5 and -.5, loss log(1 + e^-2)
    const small = makePairs(["Pre", "Pe "]);
    const logProb = Float32Array.of(0, -1, -1, 0, -2, 0);
    const reference = Float32Array.of(0, -2, -3, 0, -1, 0);
    const { terms, metrics } = dpo({ dpoBeta: 0.5 })(logProb, small.tokens, { pairs: small.batch.pairs, reference });
    expect(metrics).toMatchObject({ chosenReward: 1.5, rejectedReward: -0.5, rewardMargin: 2, accuracy: 1 });
    expect(terms.preference.sum).toBeCloseTo(Math.log1p(Math.exp(-2)), 12);
  });

  test("adds the gradients of a row that serves in several pairs", () => {
    const pairs = (chosen: number[], rejected: number[]) => ({
      ...made,
      batch: { ...made.batch, pairs: { chosen: Int32Array.from(chosen), rejected: Int32Array.from(rejected) } },
    });
    const both = run(dpo(), pairs([0, 0], [1, 3])).terms.preference.dLogProb;
    const [a, b] = [[1], [3]].map((l) => run(dpo(), pairs([0], l)).terms.preference.dLogProb);
    both.forEach((d, i) => expect(d).toBeCloseTo(a![i]! + b![i]!, 6));
  });

  test("multiplies weightings: decay on both sides, critical tokens on one", () => {
    const by = () => Float64Array.of(2, 2, 2, 2, 2, 2, 2, 2);
    const twice = run(weightedDpo({ weights: [{ by }, { by, sides: "chosen" }] }), made).metrics;
    expect([twice.chosenWeight, twice.rejectedWeight]).toEqual([4, 2]);
  });

  test("keeps positionMean padded near log 2 as padding grows", () => {
    const loss = (padding: number) =>
      lossOf(run(criticalTokenDpo({ preset: "released" }), makePairs(layout, { padding })));
    expect(Math.abs(loss(2000) - Math.LN2)).toBeLessThan(1e-3);
    expect(Math.abs(loss(0) - Math.LN2)).toBeGreaterThan(1e-3);
  });
});
