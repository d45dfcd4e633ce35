import { describe, expect, test } from "@jest/globals";
import { entryNamed } from "../../src/config/catalogue.ts";
import { rules } from "../../src/selection/index.ts";
import { explain } from "../../src/config/explain-entry.ts";
import { ssTokenPresets } from "../../src/selection/sstoken-options.ts";

const ssToken = entryNamed(rules, "sstoken");

describe("explain", () => {
  test("says where a default depends on the preset", () => {
    const defaults = Object.fromEntries(explain(ssToken).options.map((option) => [option.name, option.default]));
    expect(defaults).toMatchObject({
      ratio: "0.6",
      "warmup.samples": "0 (paper), 10000 (released), 0 (recommended)",
      minimumRange: "0 (paper), 0 (released), 0.0001 (recommended)",
      divideBy: "sequence-budget (paper), micro-batch (released), kept (recommended)",
      keepBelow: "off",
      layer: "-1",
    });
  });

  test("lists for ssToken each option in which the presets differ, with a source", () => {
    const { differences } = explain(ssToken);
    const values = Object.values(ssTokenPresets).map((preset): Record<string, unknown> => preset);
    const differing = Object.keys(ssTokenPresets.paper).filter(
      (key) => new Set(values.map((preset) => JSON.stringify(preset[key]))).size > 1,
    );
    expect(differing.sort()).toEqual(["divideBy", "keepEndOfTurn", "minimumRange", "warmup"]);
    const listed = differences.map(({ option }) => option?.split(".")[0]);
    for (const option of differing) expect(listed).toContain(option);
    for (const { source } of differences) expect(source).not.toBe("");
  });

  test("warns of ssToken that it keeps noise which is new to the model, and says what to do instead", () => {
    const { notes } = explain(ssToken);
    expect(notes[0]).toMatch(/^Warning: where the noise is new [^]*\.06 to \.22 [^]*\.08 to \.20/);
    expect(notes.join(" ")).toMatch(/order: lowest[^]*small-loss[^]*ratio fits/);
  });

  test("has no differences and notes of a rule that states none", () => {
    expect(explain(entryNamed(rules, "dft"))).toMatchObject({ presets: [], differences: [], notes: [] });
  });
});
