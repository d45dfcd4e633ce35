import { describe, expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import fc from "fast-check";
import { createFrom, entryNamed, namesOf, optionsSchema } from "../../src/config/catalogue.ts";
import type { MethodChoice } from "../../src/config/method-choice.ts";
import { preferenceForms, type PreferenceObjective } from "../../src/preference/index.ts";
import type { PreferenceTerm } from "../../src/preference/batch.ts";
import { userError } from "../user-error.ts";
import { type Made, makePairs, onePair } from "./batches.ts";

const layout = ["PPrrrre", "PPrre", "PPPe", "PPPrrrrre", "PrrePPrre", "PrrePrrrre"];
const variants: [string, object][] = [
  ["columns", { meanOne: true }],
  ["tdpo", { version: 1 }],
  ["cdpo", { sides: "both", keep: { ratio: 0.5 } }],
  ["cdpo", { aggregation: "position" }],
];
const forms = [...namesOf(preferenceForms).map((name): [string, object] => [name, {}]), ...variants].map(
  ([name, options]) => ({ name, options, objective: createFrom(preferenceForms, { method: name, ...options }) }),
);

/** The objective on a batch, cut to what it says it reads, so that it cannot read more. */
function run(objective: PreferenceObjective, { tokens, batch, logProb, forwardKl }: Made) {
  const { pairs, seed, ...facts } = batch;
  const needed = Object.fromEntries(objective.needs.map((fact) => [fact, facts[fact]]));
  const signals = { logProb, ...(objective.reads.includes("forwardKl") && { forwardKl }) };
  const { terms, metrics } = objective.evaluate(signals, tokens, { pairs, seed, ...needed });
  return { terms: terms as Readonly<Record<string, PreferenceTerm>>, metrics };
}

const lossOf = ({ terms }: ReturnType<typeof run>) =>
  Object.values(terms).reduce((loss, { sum, mass }) => loss + sum / mass, 0);

describe.each(forms)("$name $options", ({ name, options, objective }) => {
  test("padding changes nothing, whatever it holds", () => {
    const plain = run(objective, makePairs(layout));
    const padded = run(objective, makePairs(layout, { padding: 5 }));
    expect(padded.metrics).toEqual(plain.metrics);
    for (const [term, { sum, mass, dLogProb }] of Object.entries(plain.terms)) {
      const other = padded.terms[term]!;
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
      expect(objective.masses(made.tokens, made.batch)).toEqual(masses);
    }
  });

  test("accumulates: a batch's sums and masses are those of its pairs one by one", () => {
    const made = makePairs(layout);
    const whole = run(objective, made);
    const parts = [0, 1, 2].map((k) => run(objective, onePair(made, k, 10)));
    for (const [term, { sum, mass, dLogProb }] of Object.entries(whole.terms)) {
      expect(parts.reduce((total, part) => total + part.terms[term]!.sum, 0)).toBeCloseTo(sum, 10);
      expect(parts.reduce((total, part) => total + part.terms[term]!.mass, 0)).toBe(mass);
      parts.forEach((part, k) => {
        const rows = dLogProb.slice(2 * k * 10, (2 * k + 2) * 10);
        expect(part.terms[term]!.dLogProb).toEqual(rows);
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

  test("says which gradient it gives besides that on log-probabilities", () => {
    const { terms } = run(objective, makePairs(layout));
    const given = Object.values(terms).some(({ dForwardKl }) => dForwardKl !== undefined);
    expect(given).toBe(objective.reads.includes("forwardKl"));
  });

  test("has the defaults that its options state", () => {
    const choice: MethodChoice = { method: name, ...options };
    new Ajv({ strict: true, useDefaults: true }).compile(optionsSchema(entryNamed(preferenceForms, name)))(choice);
    expect(run(createFrom(preferenceForms, choice), makePairs(layout))).toEqual(run(objective, makePairs(layout)));
  });

  test("starts at the loss that it states, where model and reference are the same, or at one that the data decide", () => {
    const made = makePairs(layout);
    const start = { ...made, forwardKl: made.logProb.map(() => 0), batch: { ...made.batch, reference: made.logProb } };
    if (objective.startLoss !== undefined) expect(lossOf(run(objective, start))).toBeCloseTo(objective.startLoss, 10);
    else expect(lossOf(run(objective, start))).not.toBeCloseTo(lossOf(run(objective, onePair(start, 0, 10))), 3);
  });
});

const presets = preferenceForms.entries.flatMap(({ name, presets = {} }) =>
  Object.keys(presets).map((preset) => ({ method: name, preset })),
);
test.each(presets)("$method keeps the preset $preset when its defaults are filled in", (choice) => {
  const filled: MethodChoice = { ...choice };
  new Ajv({ strict: true, useDefaults: true }).compile(optionsSchema(entryNamed(preferenceForms, choice.method)))(
    filled,
  );
  const made = makePairs(layout);
  expect(run(createFrom(preferenceForms, filled), made)).toEqual(run(createFrom(preferenceForms, choice), made));
});

test("cdpo-shuffled keeps the mass of each response's weights, and draws other places under another seed", () => {
  const [plain, shuffled] = ["cdpo", "cdpo-shuffled"].map((method) => createFrom(preferenceForms, { method }));
  const made = makePairs(layout);
  const before = run(plain!, made);
  const after = run(shuffled!, made);
  expect(after.metrics["rejectedWeight"]).toBeCloseTo(before.metrics["rejectedWeight"]!, 6);
  expect(after.terms["preference"]!.dLogProb).not.toEqual(before.terms["preference"]!.dLogProb);
  const other = run(shuffled!, { ...made, batch: { ...made.batch, seed: 2 } });
  expect(other.terms["preference"]!.dLogProb).not.toEqual(after.terms["preference"]!.dLogProb);
});

describe("columns-shuffled", () => {
  const made = makePairs(layout);
  const metricsOf = (choice: MethodChoice, given = made) => run(createFrom(preferenceForms, choice), given).metrics;

  test("keeps the mass of each response's weights, or their push", () => {
    const own = metricsOf({ method: "columns" });
    const mass = metricsOf({ method: "columns-shuffled" });
    for (const side of ["chosen", "rejected"]) {
      expect(mass[`${side}Weight`]).toBeCloseTo(own[`${side}Weight`]!, 6);
      expect(mass[`${side}Push`]).not.toBeCloseTo(own[`${side}Push`]!, 3);
      const push = metricsOf({ method: "columns-shuffled", equal: "push" });
      expect(push[`${side}Push`]).toBeCloseTo(own[`${side}Push`]!, 6);
    }
  });

  test("refuses negative weights at equal push, and names the row", () => {
    const weights = made.batch.weights.map((w) => -w);
    const turned = { ...made, batch: { ...made.batch, weights } };
    expect(metricsOf({ method: "columns-shuffled" }, turned)["rejectedWeight"]).toBeLessThan(0);
    expect(() => metricsOf({ method: "columns-shuffled", equal: "push" }, turned)).toThrow(
      userError("invalid-weight", "row 100"),
    );
  });
});

test("tis-dpo gives equal log-ratios to earlier tokens first, and the one token of a response the weight 1", () => {
  const made = makePairs(["Prrre", "Pe"]);
  made.batch.logRatio.set([0, 1, 0, 1, 0, 0, 5]);
  made.batch.reference.set(made.logProb.map((x) => x - 1));
  // every log-ratio is 1: the chosen tokens rank 2, 0, 3, 1 and weigh 1.1, .7, 1.3, .9
  const { terms, metrics } = run(createFrom(preferenceForms, { method: "tis-dpo", dpoBeta: 1 }), made);
  expect(metrics["weightedMargin"]).toBeCloseTo(4 - 1, 5);
  const slope = -1 / (1 + Math.exp(3));
  [1.1, 0.7, 1.3, 0.9].forEach((w, t) => expect(terms["preference"]!.dLogProb[1 + t]).toBeCloseTo(w * slope, 6));
});

describe("cdpo-shuffled at equal push", () => {
  const made = makePairs(layout);
  const pushOf = (choice: MethodChoice) => run(createFrom(preferenceForms, choice), made).metrics;

  test("scales swapped weights by hand", () => {
    // s .9 and .1, so weights .1 and .9 before and .9 and .1 after the swap; p 1/2 and 3/4
    // push before .1/2 + .9/4 = .275, after .9/2 + .1/4 = .475: both times .275/.475
    const { tokens, batch, logProb } = onePair(makePairs(["Pre", "Pre"]), 0, 3);
    logProb.set([0, -1, -1, 0, Math.log(0.5), Math.log(0.75)]);
    batch.logEstimate.set([0, 0, 0, 0, Math.log(0.9), Math.log(0.1)]);
    const seeds = [...Array(8).keys()].map((seed) => ({
      tokens,
      logProb,
      batch: { ...batch, reference: logProb, seed },
    }));
    const mass = createFrom(preferenceForms, { method: "cdpo-shuffled" });
    const push = createFrom(preferenceForms, { method: "cdpo-shuffled", equal: "push" });
    const of = (objective: PreferenceObjective, given: (typeof seeds)[number]) =>
      objective.evaluate({ logProb }, tokens, given.batch);
    const swapped = seeds.find((given) => of(mass, given).metrics["rejectedPush"]! > 0.4)!;
    expect(of(mass, swapped).metrics["rejectedPush"]).toBeCloseTo(0.475, 6);
    const { metrics, terms } = of(push, swapped);
    expect(metrics["rejectedPush"]).toBeCloseTo(0.275, 6);
    expect(metrics["rejectedWeight"]).toBeCloseTo(0.5 * (0.275 / 0.475), 6);
    // at the reference the slope of the loss in a weighted log-ratio is beta / 2, beta 1 under the preset
    const [first, second] = [0.9, 0.1].map((weight) => (0.5 * weight * 0.275) / 0.475);
    expect(terms["preference"]!.dLogProb![4]).toBeCloseTo(first!, 6);
    expect(terms["preference"]!.dLogProb![5]).toBeCloseTo(second!, 6);
  });

  test.each([{}, { sides: "both" }, { keep: { ratio: 0.5 } }, { endOfTurn: "one" }, { normalizer: "count" }])(
    "has the push of cdpo's own weights on both sides, with %j",
    (options) => {
      const own = pushOf({ method: "cdpo", ...options });
      const { chosenPush, rejectedPush } = pushOf({ method: "cdpo-shuffled", equal: "push", ...options });
      expect(chosenPush).toBeCloseTo(own["chosenPush"]!, 6);
      expect(rejectedPush).toBeCloseTo(own["rejectedPush"]!, 6);
      expect(pushOf({ method: "cdpo-shuffled", ...options })["rejectedPush"]).not.toBeCloseTo(own["rejectedPush"]!, 3);
    },
  );

  test("refuses what sets another scale", () => {
    for (const options of [{ meanOne: true }, { normalizer: "weights" }])
      expect(() => createFrom(preferenceForms, { method: "cdpo-shuffled", equal: "push", ...options })).toThrow(
        userError("invalid-option", Object.keys(options)[0]!),
      );
  });
});
