import { describe, expect, test } from "@jest/globals";
import { catalogue, explain, ssTokenPresets } from "../../src/selection/index.ts";

describe("explain", () => {
  test.each(Object.keys(catalogue))("describes %s with every option and its default", (method) => {
    const { summary, formula, options } = explain(method);
    expect(summary).toMatch(/\.$/);
    expect(formula).not.toBe("");
    const names = options.map(({ name }) => name.split(".")[0]);
    expect([...new Set(names)]).toEqual(Object.keys(catalogue[method]!.options));
    for (const { description } of options) expect(description).toMatch(/\.$/);
  });

  test("says where a default depends on the preset", () => {
    const defaults = Object.fromEntries(explain("sstoken").options.map((option) => [option.name, option.default]));
    expect(defaults).toMatchObject({
      ratio: "0.6",
      "warmup.samples": "0 (paper), 10000 (released), 0 (recommended)",
      minimumRange: "0 (paper), 0 (released), 0.0001 (recommended)",
      divideBy: "sequenceBudget (paper), microBatch (released), kept (recommended)",
      keepBelow: "off",
      layer: "-1",
    });
  });

  test("lists for ssToken each option in which the presets differ, with a source", () => {
    const { differences } = explain("sstoken");
    const values = Object.values(ssTokenPresets).map((preset): Record<string, unknown> => preset);
    const differing = Object.keys(ssTokenPresets.paper).filter(
      (key) => new Set(values.map((preset) => JSON.stringify(preset[key]))).size > 1,
    );
    expect(differing.sort()).toEqual(["divideBy", "keepEndOfTurn", "minimumRange", "warmup"]);
    const listed = differences.map(({ option }) => option?.split(".")[0]);
    for (const option of differing) expect(listed).toContain(option);
    for (const { source } of differences) expect(source).not.toBe("");
  });

  test("knows no other names", () => {
    expect(() => explain("constructor")).toThrow(/no rule "constructor"/);
  });
});
