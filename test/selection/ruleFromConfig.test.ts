import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { Ajv } from "ajv";
import {
  catalogue,
  comparisonArm,
  loadRule,
  optionsSchema,
  ruleFromConfig,
  selectionSchema,
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

describe("the published schema", () => {
  const valid = new Ajv({ strict: false }).compile(selectionSchema());

  test("accepts each rule with the defaults it states, which are those of the rule", () => {
    for (const method of Object.keys(catalogue)) {
      const properties = optionsSchema(method)["properties"] as Record<string, { default?: unknown }>;
      const stated = Object.entries(properties).filter(([, schema]) => schema.default !== undefined);
      const config = { method, ...Object.fromEntries(stated.map(([key, schema]) => [key, schema.default])) };
      expect(valid(config)).toBe(true);
      if (method === "sstoken") continue; // its defaults depend on the preset
      const [explicit, implicit] = [ruleFromConfig(config), ruleFromConfig({ method })];
      expect(JSON.stringify(explicit)).toBe(JSON.stringify(implicit));
    }
  });

  test("accepts a module with options of its own, and refuses unknown rules and options", () => {
    expect(valid({ method: "./my-rule.ts", anything: 1 })).toBe(true);
    expect(valid({ method: "best" })).toBe(false);
    expect(valid({ method: "full", ratio: 0.5 })).toBe(false);
    expect(valid({})).toBe(false);
  });
});

describe("comparisonArm", () => {
  const sstoken = { method: "sstoken", preset: "paper", ratio: 0.4, gamma: 0.2 };

  test("gives the other rule the same share, rounding and divisor", () => {
    const shared = { ratio: 0.4, rounding: "ceil", keepEndOfTurn: false, divideBy: "sequenceBudget" };
    expect(comparisonArm(sstoken, "random")).toEqual({ method: "random", ...shared });
    expect(comparisonArm(sstoken, "full")).toEqual({ method: "full", divideBy: "sequenceBudget" });
    expect(comparisonArm({ method: "sstoken" }, "rho1")).toMatchObject({ ratio: 0.6, keepEndOfTurn: true });
  });

  test("leaves rules that weigh as they are", () => {
    expect(comparisonArm(sstoken, "dft")).toEqual({ method: "dft" });
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
