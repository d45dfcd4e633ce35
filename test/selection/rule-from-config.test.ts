import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import type { KnownRules } from "../../src/recipes/finetune/config.ts";
import type { SelectionChoice } from "../../src/selection/choice.ts";
import {
  catalogue,
  comparisonArm,
  loadRule,
  optionsSchema,
  ruleFromConfig,
  selectRule,
} from "../../src/selection/index.ts";
import { context, makeTokens } from "./tokens.ts";

const folder = fileURLToPath(new URL("../fixtures/selection/rules", import.meta.url));

describe("ruleFromConfig", () => {
  test("makes the rule that the section names, with its options", () => {
    const rule = ruleFromConfig({ method: "rho1", ratio: 0.3, scope: "response" });
    expect(rule).toMatchObject({ name: "rho1", ratio: 0.3, scope: "response" });
    expect(ruleFromConfig({ method: "sstoken", preset: "released" }).divideBy).toBe("microBatch");
  });

  test("suggests the nearest rule and option", () => {
    expect(() => ruleFromConfig({ method: "ssTokens" })).toThrow(/no rule "ssTokens". Did you mean "sstoken"\?/);
    expect(() => ruleFromConfig({ method: "toString" })).toThrow(/no rule "toString"/);
    expect(() => ruleFromConfig({ method: "sstoken", gama: 1 })).toThrow(/no option "gama". Did you mean "gamma"\?/);
    expect(() => ruleFromConfig({ method: "dft", ratio: 1 })).toThrow(/It has no options/);
    expect(() => ruleFromConfig({ method: "full", preset: "paper" })).toThrow(/no option "preset"/);
  });

  test("lists everything wrong at once", () => {
    const broken = () => ruleFromConfig({ method: "sstoken", ratio: 2, warmup: { samples: -1 }, preset: "best" });
    expect(broken).toThrow(/selection.ratio must be <= 1/);
    expect(broken).toThrow(/selection.warmup.samples must be >= 0/);
    expect(broken).toThrow(/selection.preset must be one of paper, released, recommended/);
  });
});

describe("optionsSchema", () => {
  const complete = new Ajv({ strict: true, useDefaults: true });

  test.each(Object.keys(catalogue))("of %s states the defaults that the rule has", (method) => {
    const config = { method };
    expect(complete.compile(optionsSchema(method))(config)).toBe(true);
    expect(Object.keys(config)).toHaveLength(1 + stated(method).length);
    expect(JSON.stringify(ruleFromConfig(config))).toBe(JSON.stringify(ruleFromConfig({ method })));
  });

  const presets = Object.entries(catalogue).flatMap(([method, entry]) =>
    Object.keys(entry.presets ?? {}).map((preset) => ({ method, preset })),
  );
  test.each(presets)("does not override a preset when its defaults are filled in: $method, $preset", (selection) => {
    const config = { ...selection };
    complete.compile(optionsSchema(selection.method))(config);
    expect(describeRule(config)).toEqual(describeRule(selection));
  });

  /** The rule in comparable form: what it states, and the weights it gives. */
  const describeRule = (selection: SelectionChoice) => {
    const rule = ruleFromConfig(selection);
    return [JSON.stringify(rule), rule.weigh(makeTokens(["PPrrrrre", "Prrre"]), context())];
  };

  const stated = (method: string) =>
    Object.values(optionsSchema(method).properties!).filter((schema) => schema["default"] !== undefined);
});

describe("comparisonArm", () => {
  test("with optionsSchema is what a configuration must know about the rules", () => {
    const known: KnownRules = {
      methods: Object.keys(catalogue),
      optionsSchema,
      comparisonArm,
      demands: ruleFromConfig,
    };
    expect(known.comparisonArm({ method: "dft" }, "full")).toEqual({ method: "full" });
  });

  const sstoken = { method: "sstoken", preset: "paper", ratio: 0.4, gamma: 0.2 };

  test("gives the other rule the same share, rounding and divisor", () => {
    const shared = { ratio: 0.4, rounding: "ceil", keepEndOfTurn: false, divideBy: "sequenceBudget" };
    expect(comparisonArm(sstoken, "random")).toEqual({ method: "random", ...shared });
    expect(comparisonArm(sstoken, "full")).toEqual({ method: "full", divideBy: "sequenceBudget" });
    expect(comparisonArm({ method: "sstoken" }, "rho1")).toMatchObject({ ratio: 0.6, keepEndOfTurn: true });
  });

  test("of high-entropy has its share, a fifth unless given", () => {
    expect(comparisonArm({ method: "high-entropy" }, "random")).toMatchObject({ ratio: 0.2, divideBy: "kept" });
    expect(comparisonArm({ method: "random", ratio: 0.3 }, "high-entropy")).toEqual({
      method: "high-entropy",
      ratio: 0.3,
    });
  });

  test("leaves rules that weigh as they are", () => {
    for (const method of ["dft", "focal", "eaft", "iw-sft", "profit"])
      expect(comparisonArm(sstoken, method)).toEqual({ method });
    expect(comparisonArm(sstoken, "dataset-weights")).toEqual({ method: "dataset-weights" });
  });

  test("gives arms that can be made, for every pair of rules", () => {
    for (const method of Object.keys(catalogue))
      for (const other of Object.keys(catalogue)) {
        expect(ruleFromConfig(comparisonArm({ method }, other)).name).toBe(other);
      }
  });
});

describe("a rule of the user's own", () => {
  test("is loaded from TypeScript with its options, relative to the config's folder", async () => {
    const rule = await selectRule({ method: "./typed.ts", weight: 3 }, folder);
    expect(rule.name).toBe("typed");
    expect([...rule.weigh(makeTokens(["Pr"]), context())]).toEqual([3, 3]);
  });

  test("is loaded from JavaScript", async () => {
    expect(await loadRule(`${folder}/plain.js`)).toMatchObject({ name: "plain", needs: ["column:mine"] });
  });

  test.each([
    ["missing.ts", {}, /missing.ts: There is no such file/],
    ["other.js", {}, /exports neither `rule` nor `createRule`/],
    ["throws.js", {}, /createRule failed: no luck/],
    ["broken.js", {}, /cannot be loaded: no table/],
    ["plain.js", { ratio: 1 }, /takes no options, but there are: ratio/],
    ["wrong.js", {}, /needs has no signal "loss"; scope must be .*; ratio must be .*; weigh must be a function/],
  ])("in %s with %j is refused with a reason", async (file, options, message) => {
    await expect(loadRule(`${folder}/${file}`, options)).rejects.toThrow(message);
    await expect(loadRule(`${folder}/${file}`, options)).rejects.toMatchObject({ name: "UserError" });
  });

  test("lies beside the rules of the catalogue", async () => {
    expect((await selectRule({ method: "full" }, dirname(folder))).name).toBe("full");
  });
});
