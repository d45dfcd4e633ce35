import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { namesOf, comparisonArm } from "../../src/config/catalogue.ts";
import { loadEntry, selectEntry } from "../../src/config/load-entry.ts";
import { createFrom, rules } from "../../src/selection/index.ts";
import { context, makeTokens } from "./tokens.ts";

const folder = fileURLToPath(new URL("../fixtures/selection/rules", import.meta.url));

describe("createFrom", () => {
  test("makes the rule that the section names, with its options", () => {
    const rule = createFrom(rules, { method: "rho1", ratio: 0.3, scope: "response" });
    expect(rule).toMatchObject({ name: "rho1", ratio: 0.3, scope: "response" });
    expect(createFrom(rules, { method: "sstoken", preset: "released" }).divideBy).toBe("micro-batch");
  });

  test("suggests the nearest rule and option", () => {
    expect(() => createFrom(rules, { method: "ssTokens" })).toThrow(/no rule "ssTokens". Did you mean "sstoken"\?/);
    expect(() => createFrom(rules, { method: "toString" })).toThrow(/no rule "toString"/);
    expect(() => createFrom(rules, { method: "sstoken", gama: 1 })).toThrow(/no option "gama". Did you mean "gamma"\?/);
    expect(() => createFrom(rules, { method: "dft", ratio: 1 })).toThrow(/It has no options/);
    expect(() => createFrom(rules, { method: "full", preset: "paper" })).toThrow(/no option "preset"/);
  });

  test("lists everything wrong at once", () => {
    const broken = () => createFrom(rules, { method: "sstoken", ratio: 2, warmup: { samples: -1 }, preset: "best" });
    expect(broken).toThrow(/selection.ratio must be <= 1/);
    expect(broken).toThrow(/selection.warmup.samples must be >= 0/);
    expect(broken).toThrow(/selection.preset must be one of paper, released, recommended/);
  });
});

describe("comparisonArm", () => {
  const sstoken = { method: "sstoken", preset: "paper", ratio: 0.4, gamma: 0.2 };

  test("gives the other rule the same share, rounding and divisor", () => {
    const shared = { ratio: 0.4, rounding: "ceil", keepEndOfTurn: false, divideBy: "sequence-budget" };
    expect(comparisonArm(rules, sstoken, "random")).toEqual({ method: "random", ...shared });
    expect(comparisonArm(rules, sstoken, "full")).toEqual({ method: "full", divideBy: "sequence-budget" });
    expect(comparisonArm(rules, { method: "sstoken" }, "rho1")).toMatchObject({ ratio: 0.6, keepEndOfTurn: true });
  });

  test("of high-entropy has its share, a fifth unless given", () => {
    expect(comparisonArm(rules, { method: "high-entropy" }, "random")).toMatchObject({ ratio: 0.2, divideBy: "kept" });
    expect(comparisonArm(rules, { method: "random", ratio: 0.3 }, "high-entropy")).toEqual({
      method: "high-entropy",
      ratio: 0.3,
    });
  });

  test("leaves rules that weigh as they are", () => {
    for (const method of ["dft", "focal", "eaft", "iw-sft", "profit"])
      expect(comparisonArm(rules, sstoken, method)).toEqual({ method });
    expect(comparisonArm(rules, sstoken, "dataset-weights")).toEqual({ method: "dataset-weights" });
  });

  test("gives arms that can be made, for every pair of rules", () => {
    for (const method of namesOf(rules))
      for (const other of namesOf(rules)) {
        expect(createFrom(rules, comparisonArm(rules, { method }, other)).name).toBe(other);
      }
  });
});

describe("a rule of the user's own", () => {
  test("is loaded from TypeScript with its options, relative to the config's folder", async () => {
    const rule = await selectEntry(rules, { method: "./typed.ts", weight: 3 }, folder);
    expect(rule.name).toBe("typed");
    expect([...rule.weigh(makeTokens(["Pr"]), context())]).toEqual([3, 3]);
  });

  test("is loaded from JavaScript", async () => {
    expect(await loadEntry(`${folder}/plain.js`, {}, rules)).toMatchObject({ name: "plain", needs: ["column:mine"] });
  });

  test.each([
    ["missing.ts", {}, /missing.ts: There is no such file/],
    ["other.js", {}, /exports neither `rule` nor `createRule`/],
    ["throws.js", {}, /createRule failed: no luck/],
    ["broken.js", {}, /cannot be loaded: no table/],
    ["plain.js", { ratio: 1 }, /takes no options, but there are: ratio/],
    ["wrong.js", {}, /needs has no signal "loss"; scope must be .*; ratio must be .*; weigh must be a function/],
  ])("in %s with %j is refused with a reason", async (file, options, message) => {
    await expect(loadEntry(`${folder}/${file}`, options, rules)).rejects.toThrow(message);
    await expect(loadEntry(`${folder}/${file}`, options, rules)).rejects.toMatchObject({ name: "UserError" });
  });

  test("lies beside the rules of the catalogue", async () => {
    expect((await selectEntry(rules, { method: "full" }, dirname(folder))).name).toBe("full");
  });
});
