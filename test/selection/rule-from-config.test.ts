import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { namesOf, comparisonArm } from "../../src/config/catalogue.ts";
import { loadEntry, selectEntry } from "../../src/config/load-entry.ts";
import { createFrom, rules } from "../../src/selection/index.ts";
import { userError } from "../user-error.ts";
import { context, makeTokens } from "./tokens.ts";

const folder = fileURLToPath(new URL("../fixtures/selection/rules", import.meta.url));

describe("createFrom", () => {
  test("makes the rule that the section names, with its options", () => {
    const rule = createFrom(rules, { method: "rho1", ratio: 0.3, scope: "response" });
    expect(rule).toMatchObject({ name: "rho1", ratio: 0.3, scope: "response" });
    expect(createFrom(rules, { method: "sstoken", preset: "released" }).divideBy).toBe("micro-batch");
  });

  test("suggests the nearest rule and option", () => {
    expect(() => createFrom(rules, { method: "ssTokens" })).toThrow(
      userError("unknown-method", /"ssTokens".*Did you mean "sstoken"\?/),
    );
    expect(() => createFrom(rules, { method: "toString" })).toThrow(userError("unknown-method", '"toString"'));
    expect(() => createFrom(rules, { method: "sstoken", gama: 1 })).toThrow(
      userError("invalid-option", /"gama".*Did you mean "gamma"\?/),
    );
    expect(() => createFrom(rules, { method: "dft", ratio: 1 })).toThrow(userError("invalid-option", '"ratio"'));
    expect(() => createFrom(rules, { method: "full", preset: "paper" })).toThrow(
      userError("invalid-option", '"preset"'),
    );
  });

  test("lists everything wrong at once", () => {
    const broken = () => createFrom(rules, { method: "sstoken", ratio: 2, warmup: { samples: -1 }, preset: "best" });
    expect(broken).toThrow(userError("invalid-option", "selection.ratio"));
    expect(broken).toThrow(userError("invalid-option", "selection.warmup.samples"));
    expect(broken).toThrow(userError("invalid-option", "selection.preset"));
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
    ["missing.ts", {}, userError("missing-file", "missing.ts")],
    ["other.js", {}, userError("invalid-module", "other.js")],
    ["throws.js", {}, userError("invalid-module", "createRule failed: no luck")],
    ["broken.js", {}, userError("invalid-module", "no table")],
    ["plain.js", { ratio: 1 }, userError("unused-option", "ratio")],
    ["wrong.js", {}, userError("invalid-module", /"loss"; scope .*; ratio .*; weigh /)],
  ])("in %s with %j is refused with a reason", async (file, options, refusal) => {
    await expect(loadEntry(`${folder}/${file}`, options, rules)).rejects.toThrow(refusal);
  });

  test("lies beside the rules of the catalogue", async () => {
    expect((await selectEntry(rules, { method: "full" }, dirname(folder))).name).toBe("full");
  });
});
