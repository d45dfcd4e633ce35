import { describe, expect, test } from "@jest/globals";
import { armsOf } from "../../src/grid/arms.ts";
import type { AxisConfig } from "../../src/grid/grid-schema.ts";
import { nameOfSettings, settingTexts, undotted } from "../../src/grid/settings.ts";

const rows = (axis: AxisConfig, controls: Record<string, unknown>[] = []) => armsOf({ axes: { one: axis }, controls });
const namesOf = (axis: AxisConfig) => rows(axis).arms.map(({ name }) => name);
const complaints = (axis: AxisConfig) => rows(axis).problems.map(({ path, message }) => `${path.join(".")} ${message}`);

const ten = Array.from({ length: 10 }, (_, value) => value);
const nineKeys = Object.fromEntries(ten.slice(1).map((key) => [`key${key}`, ten]));

describe("an axis", () => {
  test("makes a cell of every value of a key", () => {
    const { arms, problems } = rows({ "selection.gamma": [0, 0.5] });
    expect(problems).toEqual([]);
    expect(arms).toEqual([
      { axis: "one", name: "gamma-0", settings: { "selection.gamma": 0 }, control: false },
      { axis: "one", name: "gamma-0.5", settings: { "selection.gamma": 0.5 }, control: false },
    ]);
  });

  test("pairs the values of several keys by their positions", () => {
    expect(namesOf({ "gates.sinks": [0, 4], "gates.window": [0, 16] })).toEqual([
      "sinks-0-window-0",
      "sinks-4-window-16",
    ]);
  });

  test("takes every combination where it says so", () => {
    expect(namesOf({ cross: true, "gates.kind": ["linear", "mlp"], "gates.sinks": [0, 4] })).toEqual([
      "linear-sinks-0",
      "linear-sinks-4",
      "mlp-sinks-0",
      "mlp-sinks-4",
    ]);
  });

  test("meets every value of further keys", () => {
    expect(namesOf({ "selection.ratio": [0.4, 0.8], cross: { "selection.method": ["sstoken", "random"] } })).toEqual([
      "ratio-0.4-sstoken",
      "ratio-0.4-random",
      "ratio-0.8-sstoken",
      "ratio-0.8-random",
    ]);
  });

  test("may be a list of groups, each with a name of its own", () => {
    const { arms } = rows({
      set: [{ name: "paper", objective: { preset: "paper" } }, { objective: { preset: "grpo" } }],
    });
    expect(arms.map(({ name, settings }) => [name, settings])).toEqual([
      ["paper", { objective: { preset: "paper" } }],
      ["grpo", { objective: { preset: "grpo" } }],
    ]);
  });

  test("gets the grid's controls", () => {
    const { arms } = rows({ "selection.gamma": [0] }, [{ name: "all", selection: { method: "full" } }]);
    expect(arms[1]).toEqual({ axis: "one", name: "all", settings: { selection: { method: "full" } }, control: true });
  });

  test("gets no control whose name leads elsewhere", () => {
    const { problems } = rows({ a: [1] }, [{ name: "lr 1/2", b: 1 }]);
    expect(problems.map(({ path }) => path)).toEqual([["controls", 0, "name"]]);
  });

  test.each<[AxisConfig, RegExp]>([
    [{ a: [1, 2], b: [1] }, /^axes\.one\.b has 1 values and a has 2/],
    [{ a: 1 }, /^axes\.one\.a must be a list of values/],
    [{ a: [1, 1] }, /^axes\.one has two cells called a-1/],
    [{ a: [1, 2], names: ["x"] }, /^axes\.one\.names has 1 names for 2 cells/],
    [{ a: [1], set: [{ b: 1 }] }, /^axes\.one\.set cannot stand beside/],
    [{}, /^axes\.one has no cells/],
    [{ set: [{ name: "../../evil", a: 1 }] }, /^axes\.one\.set\.0\.name is "\.\.\/\.\.\/evil"/],
    [{ set: [{ name: "a\u001b[2J\n", a: 1 }] }, /^axes\.one\.set\.0\.name is "a\\u001b/],
    [{ set: [{ name: 7, a: 1 }] }, /^axes\.one\.set\.0\.name is 7/],
    [{ cross: true, ...nineKeys }, /^axes\.one\.cross makes 1000000000 cells/],
    [{ a: [1], cross: nineKeys }, /^axes\.one\.cross makes 1000000000 cells/],
  ])("%j is refused", (axis, message) => {
    expect(complaints(axis)).toEqual(expect.arrayContaining([expect.stringMatching(message)]));
  });
});

describe("settings", () => {
  test("have dotted keys inside their groups too", () => {
    expect(undotted({ method: "sstoken", "warmup.samples": 320 })).toEqual({
      method: "sstoken",
      warmup: { samples: 320 },
    });
  });

  test("are texts in which a group comes before keys inside it", () => {
    expect(settingTexts({ "selection.ratio": 0.4, selection: { method: "random" } })).toEqual([
      'selection={"method":"random"}',
      "selection.ratio=0.4",
    ]);
  });

  test.each([
    [{ selection: { preset: "released", ratio: 0.5, method: "sstoken" } }, "released-sstoken-ratio-0.5"],
    [{ model: "../../models/tiny" }, "tiny"],
    [{ "selection.method": "./my-rule.ts" }, "my-rule"],
    [{ "training.learningRate": 3e-5 }, "learningRate-0.00003"],
    [{ "selection.layer": -1 }, "layer--1"],
    [{ "data.train": ["a.jsonl", "b.jsonl"] }, "train-a.jsonl-b.jsonl"],
    [{ x: "<b>&" }, "b"],
  ])("%j are called %s", (settings, name) => {
    expect(nameOfSettings(settings)).toBe(name);
  });
});
