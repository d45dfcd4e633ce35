import { describe, expect, test } from "@jest/globals";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { editorSchema } from "../../src/config/editor-schema.ts";
import { gridSchema } from "../../src/grid/grid-schema.ts";
import { cellConfig, cellsOf } from "../../src/grid/cells.ts";
import { changesOf, refuseChanged, stateOf } from "../../src/grid/cell-state.ts";
import { cellsIn, listText } from "../../src/grid/list.ts";
import { readGrid } from "../../src/grid/read-grid.ts";
import { temporaryFolder } from "../data/folder.ts";
import { userError } from "../user-error.ts";
import { openGrid, writeCell, writeGrid, writeRun } from "./small-grid.ts";

const folder = temporaryFolder();
let made = 0;
const place = (): string => folder.path(`grid-${made++}`);

describe("a grid file", () => {
  test("that names an unknown key is told the nearest, with its line", async () => {
    await expect(readGrid(writeGrid(place(), { seed: [1] }))).rejects.toThrow(
      userError("invalid-config", /grid\.yaml:1:\d+: seed is not a known key; did you mean seeds\?/),
    );
  });

  test.each([
    [
      { expect: [{ cell: "gamma/gamma-0", over: "gamma/gama-0.25", metric: "loss" }] },
      "did you mean gamma/gamma-0.25?",
    ],
    [{ expect: [{ cell: "gamma/gamma-0", over: "gamma/gamma-0.25", metric: "los" }] }, "did you mean loss?"],
    [{ axes: { gamma: { "selection.gamma": [0, 1], against: "gamma-2" } } }, "did you mean gamma-0?"],
    [{ axes: { gamma: { "selection.gamma": [0, 1], against: ["@full", "gamma-2"] } } }, "did you mean gamma-0?"],
    [{ axes: { t: { "training.steps": [1], evaluateOnly: true } } }, "does not keep trained models"],
    [{ shareStages: ["sample"] }, "sstoken has no stages"],
    [{ recipe: "sstokn" }, "did you mean sstoken?"],
    [{ axes: {} }, "has no axis"],
    [{ seeds: [1, 1] }, "without repetitions"],
    [{ set: { output: "elsewhere" } }, "every cell has a folder of its own"],
    [{ axes: { seed: { "training.seed": [1, 2] } } }, "the grid's seeds"],
    [{ axes: { rows: { set: [{ name: "a", training: { seed: 3 } }] } } }, "the grid's seeds"],
  ])("%j is refused", async (keys, message) => {
    await expect(readGrid(writeGrid(place(), keys))).rejects.toThrow(userError("invalid-config", message));
  });

  test("is not read with a key of --set that each cell has for itself", async () => {
    const read = readGrid(writeGrid(place(), {}), { set: ["output=elsewhere"] });
    await expect(read).rejects.toThrow(userError("conflicting-options", "--output FOLDER"));
  });

  test.each([
    [{ ratio: { "selection.ratio": [0.6, 0.7], names: ["0.6", "ratio-0.6"] } }, /ratio\/0\.6 and ratio\/ratio-0\.6/],
    [
      {
        a: { set: [{ name: "b-c", "selection.ratio": 0.7 }] },
        "a-b": { set: [{ name: "c", "selection.ratio": 0.8 }] },
      },
      /a\/b-c and a-b\/c/,
    ],
  ])("whose cells would share a folder is refused: %j", async (axes, rows) => {
    await expect(openGrid(place(), { axes })).rejects.toThrow(userError("invalid-config", rows));
  });

  test("that cannot be a cell is refused with the cell's name and what is wrong, each cell once", async () => {
    const axes = { gamma: { "selection.gama": [0] }, ratio: { "selection.ratio": [2, 0.5] } };
    const opened = openGrid(place(), { axes });
    await expect(opened).rejects.toThrow(userError("invalid-config", "did you mean selection.gamma?"));
    await expect(opened).rejects.toThrow(userError("invalid-config", /ratio\/ratio-2: .*selection\.ratio/s));
    await expect(opened).rejects.not.toThrow(userError("invalid-config", "ratio-0.5"));
  });
});

describe("the cells of a grid", () => {
  test("are every row with every seed, in this order, each in a run folder of its name", async () => {
    const here = place();
    const { cells } = await openGrid(here);
    expect(cells.map(({ index, name }) => [index, name])).toEqual([
      [0, "gamma-0-s1"],
      [1, "gamma-0-s2"],
      [2, "gamma-0-s3"],
      [3, "gamma-0.25-s1"],
      [4, "gamma-0.25-s2"],
      [5, "gamma-0.25-s3"],
    ]);
    expect(cells[4]!.folder).toBe(join(here, "out/cells/004-gamma-0.25-s2"));
  });

  test("have base, row and seed as their configuration, without arms to compare", async () => {
    const cells = await openGrid(place(), { set: { "training.steps": 7, compare: ["full"] } });
    const { config } = cellConfig(cells, cells.cells[1]!);
    expect(config).toMatchObject({
      selection: { method: "sstoken", gamma: 0, ratio: 0.6 },
      training: { seed: 2, steps: 7 },
      compare: [{ name: "full" }], // which the grid itself asks for
      output: cells.cells[1]!.folder,
    });
    const alone = await openGrid(place());
    expect(cellConfig(alone, alone.cells[0]!).config).toMatchObject({ compare: [] });
  });

  test("that configure the same are one cell, of whichever axis comes first", async () => {
    const cells = await openGrid(place(), {
      axes: {
        gamma: { "selection.gamma": [0, 0.25] },
        ratio: { "selection.ratio": [0.6, 0.8] }, // 0.6 is the base, and so is gamma 0.25
      },
    });
    expect(cells.cells).toHaveLength(9);
    const [, base, same] = cells.grid.arms;
    expect(cells.of(same!)).toBe(cells.of(base!));
    expect([base!, same!].map(cells.isBase)).toEqual([true, true]);
    expect(cellsIn(cells, ["ratio"]).map(({ name }) => name)).toEqual([
      ...["gamma-0.25-s1", "gamma-0.25-s2", "gamma-0.25-s3"],
      ...["ratio-0.8-s1", "ratio-0.8-s2", "ratio-0.8-s3"],
    ]);
  });

  test("of a method by its name alone take from the base what an arm of a comparison would", async () => {
    const { grid, base, cells } = await openGrid(place(), {
      seeds: [1],
      axes: { ratio: { "selection.ratio": [0.4], cross: { "selection.method": ["sstoken", "random", "full"] } } },
    }).catch(async (error: unknown) => {
      expect(error).toEqual(userError("invalid-config", "ratio-0.4-full")); // which has no ratio
      return openGrid(place(), {
        seeds: [1],
        axes: { ratio: { "selection.ratio": [0.4], cross: { "selection.method": ["sstoken", "random"] } } },
      });
    });
    const selections = cells.map(
      (cell) => (cellConfig({ grid, base }, cell).config as unknown as { selection: object }).selection,
    );
    expect(selections).toEqual([
      { method: "sstoken", gamma: 0.25, ratio: 0.4 },
      // what every chooser has, from ssToken's recommended preset
      { method: "random", ratio: 0.4, divideBy: "kept", keepEndOfTurn: true, rounding: "ceil" },
    ]);
  });

  test("may read what `before` has not made yet", async () => {
    const here = place();
    const { grid, base, cells } = await openGrid(here, {
      before: [{ run: ["true"], makes: "scored.arrow" }],
      axes: { data: { "data.train": ["{before}/scored.arrow"] } },
    });
    expect(cellConfig({ grid, base }, cells[0]!).config).toMatchObject({
      data: { train: join(here, "out/before/scored.arrow") },
    });
  });

  test("take what the command line says, its paths from the current folder", async () => {
    const file = writeGrid(place());
    const cells = cellsOf(await readGrid(file, { set: ["model=models/tiny", "selection.gamma=1"] }));
    const { config } = cellConfig(cells, cells.cells[0]!);
    expect(config).toMatchObject({ model: resolve("models/tiny"), selection: { gamma: 0 } }); // the axis has the last word
  });
});

describe("a cell", () => {
  test("is missing, resumable or complete by what its folder holds", async () => {
    const grid = await openGrid(place());
    const { cells } = grid;
    const [missing, begun, done, damaged] = cells;
    mkdirSync(begun!.folder, { recursive: true });
    writeFileSync(join(begun!.folder, "run.json"), '{"format":"tokensift run","version":1}');
    writeCell(grid, done!, { loss: 1 });
    writeRun(damaged!.folder, { loss: 1 });
    writeFileSync(join(damaged!.folder, "results.json"), '{"rows":[');
    expect([missing!, begun!, done!, damaged!].map(stateOf)).toEqual(["missing", "resumable", "complete", "resumable"]);
    expect(listText(grid, cells).split("\n")[2]).toBe("2  gamma-0-s3     complete   selection.gamma=0 training.seed=3");
  });

  test("keeps its folder where the grid has other cells before it by now", async () => {
    const here = place();
    const before = await openGrid(here);
    writeRun(before.cells[3]!.folder, { loss: 1 });
    const after = await openGrid(here, { axes: { gamma: { "selection.gamma": [1, 0, 0.25] } } });
    const cell = after.cells.find(({ name }) => name === "gamma-0.25-s1")!;
    expect([cell.index, stateOf(cell)]).toEqual([6, "complete"]);
  });

  test("that was run with other settings is refused with them; other threads are none", async () => {
    const { grid, base, cells } = await openGrid(place());
    const cell = cells[0]!;
    writeRun(cell.folder, { loss: 1 });
    writeFileSync(join(cell.folder, "config.yaml"), cellConfig({ grid, base }, cell, { threads: 1 }).resolvedYaml);
    expect(changesOf({ grid, base }, cell)).toEqual([]);
    writeFileSync(
      join(cell.folder, "config.yaml"),
      cellConfig({ grid, base }, cell, { "selection.ratio": 0.5 }).resolvedYaml,
    );
    expect(() => refuseChanged({ grid, base }, cell)).toThrow(
      userError("run-changed", "selection.ratio was 0.5 and is now 0.6"),
    );
    expect(existsSync(cell.folder)).toBe(true);
  });
});

test.each([
  ...["sstoken", "cdpo", "oreal", "attention-gate"].map((name) => [name, "ablation"] as const),
  ["attention-gate", "future"] as const,
])("each cell of configs/%s/%s.yaml is right", async (name, grid) => {
  const file = `configs/${name}/${grid}.yaml`;
  const cells = cellsOf(await readGrid(file));
  const { config, arms } = cells.grid;
  expect(config.recipe).toBe(name);
  expect(arms.every((arm) => cells.of(arm).length === config.seeds.length)).toBe(true);
  const keys = readFileSync(`configs/schema/${name}.schema.json`, "utf8");
  expect(keys).toContain('"seed"');
  const last = cells.cells.at(-1)!;
  expect(cellConfig(cells, last).config).toMatchObject({ training: { seed: last.seed }, output: last.folder });
});

test("configs/schema/grid.schema.json is what npm run build:schema writes", () => {
  const committed: unknown = JSON.parse(readFileSync("configs/schema/grid.schema.json", "utf8"));
  expect(committed).toEqual(editorSchema(gridSchema));
});
