import { beforeAll, describe, expect, test } from "@jest/globals";
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { measuresOf } from "../../src/grid/collect/measures.ts";
import { verdictOf } from "../../src/grid/collect/compare.ts";
import { refuseMisspelt } from "../../src/grid/collect/read-cells.ts";
import { collect } from "../../src/grid/collect/collect.ts";
import { markdownTable, spreadOf, spreadText } from "../../src/grid/collect/tables.ts";
import type { Cells } from "../../src/grid/cells.ts";
import { noteData } from "../../src/grid/data-files.ts";
import { listText } from "../../src/grid/list.ts";
import { temporaryFolder } from "../data/folder.ts";
import { userError } from "../user-error.ts";
import { smallSolver } from "../recipes/small-run.ts";
import { openGrid, writeCell, writeGrid, writeRun } from "./small-grid.ts";

const folder = temporaryFolder();
let made = 0;
const place = (): string => folder.path(`grid-${made++}`);

describe("what a run has measured", () => {
  test("has single problems where it recorded them", () => {
    const run = place();
    const lists = { rowLosses: [1, 3], rowTokens: [1, 3], rowCorrect: [1, 0] };
    writeRun(run, { loss: 2.5, exactMatch: 0.5, ...lists, noise: { tokens: 100, dropped: 40, noise: 20, hits: 10 } });
    const { measures, cost } = measuresOf(run);
    expect(measures.get("loss")).toEqual({
      value: 2.5,
      problems: { rowIds: [0, 1], values: [1, 3], weights: [1, 3], binary: false },
    });
    expect(measures.get("exactMatch")?.problems).toEqual({ rowIds: [0, 1], values: [1, 0], binary: true });
    expect(measures.get("evaluation.loss")?.value).toBe(2.5);
    expect([measures.get("noise.recall"), measures.get("noise.precision")]).toEqual([{ value: 0.5 }, { value: 0.25 }]);
    expect([measures.get("train.keptShare"), measures.get("last.keptShare")]).toEqual([{ value: 0.5 }, { value: 0.5 }]);
    expect(cost).toEqual({ trainedTokens: 40, keptShare: 0.5, seconds: 3, memoryMB: 100 });
  });

  test("is that of the row after training, and of others by their names", () => {
    const run = place();
    writeRun(run, { loss: 1 });
    const rows = [
      { name: "(start)", greedy: 0.1 },
      { name: "cdpo", greedy: 0.4, rowCorrect: [1, 0], rowIds: [7, 9] },
      { model: "control", cache: "h2o", greedy: 0.2 },
    ];
    writeFileSync(join(run, "results.json"), JSON.stringify({ rows }));
    const { measures } = measuresOf(run, "(start)");
    expect(measures.get("greedy")).toEqual({ value: 0.4, problems: { rowIds: [7, 9], values: [1, 0], binary: true } });
    expect(measures.get("greedy@(start)")).toEqual({ value: 0.1 });
    expect([measures.get("greedy@h2o"), measures.get("greedy@control/h2o")]).toEqual([{ value: 0.2 }, { value: 0.2 }]);
  });
});

test("a metric that is nearly one of the first cell's is refused, and no other", async () => {
  const cells = await openGrid(place(), { metrics: ["exactMatch", "train.relMin", "noise.recall", "accuracy@h2o"] });
  writeCell(cells, cells.cells[0]!, { loss: 1 });
  expect(() => refuseMisspelt(cells, cells.cells[0]!)).not.toThrow();
  const wrong = await openGrid(place(), { metrics: ["loss", "train.keptShar"] });
  writeCell(wrong, wrong.cells[0]!, { loss: 1 });
  expect(() => refuseMisspelt(wrong, wrong.cells[0]!)).toThrow(userError("unknown-metric", /mean train\.keptShare\?/));
});

test("results of an arm in a folder of its own need no evaluation of its training", () => {
  const run = place();
  writeRun(run, { loss: 1 });
  writeRun(join(run, "cdpo"), { loss: 1 });
  writeFileSync(join(run, "cdpo/evaluation.jsonl"), ""); // as cDPO leaves it
  writeFileSync(join(run, "results.json"), JSON.stringify({ rows: [{ name: "cdpo", steps: 4, loss: 0.5 }] }));
  expect(measuresOf(run, "base").measures.get("loss")).toEqual({ value: 0.5 });
});

describe("a verdict", () => {
  const clear = { metric: "exactMatch", seeds: 5, corrected: 0.01 };
  const interval = (low: number, high: number) => ({ difference: (low + high) / 2, low, high, p: 0.01 });

  test.each([
    [{ interval: interval(0.1, 0.3) }, "better"],
    [{ interval: interval(-0.3, -0.1) }, "worse"],
    [{ interval: interval(0.1, 0.3), metric: "loss" }, "worse"],
    [{ interval: interval(-0.3, -0.1), metric: "evaluation.loss" }, "better"],
    [{ interval: interval(0.1, 0.3), metric: "train.keptShare" }, "higher"],
    [{ interval: interval(-0.1, 0.3) }, "no difference shown"],
    [{ interval: interval(0, 0.3) }, "no difference shown"],
    [{ interval: interval(0.1, 0.3), corrected: 0.06 }, "no difference shown"],
    [{ interval: interval(0.1, 0.3), seeds: 2 }, "no difference shown"],
  ])("of %j is %s", (change, verdict) => {
    expect(verdictOf({ ...clear, ...change })).toBe(verdict);
  });
});

describe("a table", () => {
  test("has means and sample standard deviations", () => {
    // mean 2, variance ((-1)^2 + 0 + 1) / 2
    expect(spreadOf([1, 2, 3])).toEqual({ n: 3, mean: 2, sd: 1 });
    expect(spreadText(spreadOf([0.25]))).toBe("0.2500");
    expect(spreadText(spreadOf([]))).toBe("–");
  });

  test("shows text that means something in Markdown as it is", () => {
    expect(markdownTable(["a|b"], [["<i>*x* < 1\n"]])).toBe("| a\\|b |\n|---|\n| \\<i>\\*x\\* < 1  |\n");
  });
});

describe("the tables of a grid", () => {
  let cells: Cells;
  let text: string;
  let met: boolean;
  const read = (name: string): string => readFileSync(join(cells.grid.config.output, name), "utf8");

  beforeAll(async () => {
    cells = await openGrid(place(), {
      metrics: ["loss", "exactMatch"],
      axes: { gamma: { "selection.gamma": [0, 0.25, 1] }, later: { "selection.ratio": [0.7] } },
      controls: [{ name: "all", selection: { method: "full" } }],
      expect: [
        {
          cell: "gamma/gamma-1",
          over: "gamma/gamma-0.25",
          metric: "exactMatch",
          paper: "| two points<b>",
          deviations: "tiny",
        },
        { cell: "gamma/gamma-0", over: "gamma/gamma-0.25", metric: "loss" },
        { cell: "later/ratio-0.7", over: "gamma/gamma-0", metric: "loss" },
      ],
    });
    const [zero, base, one, all] = cells.grid.arms;
    // gamma 1 is right where gamma 0.25 is and on 6 of 20 problems more, in every seed; losses hardly differ
    const right = (count: number) => Array.from({ length: 20 }, (_, i) => Number(i < count));
    const losses = (shift: number) => Array.from({ length: 20 }, (_, i) => 1 + shift * (-1) ** i);
    for (const [arm, count, shift] of [
      [zero!, 10, 0.3],
      [base!, 10, 0],
      [one!, 16, 0.1],
    ] as const)
      for (const [s, cell] of cells.of(arm).entries())
        writeCell(cells, cell, {
          ...{ loss: 1 + 0.001 * s, exactMatch: count / 20 },
          ...{ rowCorrect: right(count), rowLosses: losses(shift), rowTokens: new Array<number>(20).fill(2) },
        });
    writeCell(cells, cells.of(all!)[0]!, { loss: 2 });
    ({ text, met } = await collect(cells));
  });

  test("name every row of an axis in the grid's order, and leave out axes that were not run", () => {
    expect(read("table.md").split("\n").slice(4, 11)).toEqual([
      "## gamma",
      "",
      "| cell | n | loss | exactMatch | trained tokens | kept | time | memory |",
      "|---|--:|--:|--:|--:|--:|--:|--:|",
      "| gamma-0 | 3 | 1.0010 ± 0.0010 | 0.5000 ± 0.0000 | 40 | 50 % | 3.0 s | 100 MB |",
      "| gamma-0.25 | 3 | 1.0010 ± 0.0010 | 0.5000 ± 0.0000 | 40 | 50 % | 3.0 s | 100 MB |",
      "| gamma-1 | 3 | 1.0010 ± 0.0010 | 0.8000 ± 0.0000 | 40 | 50 % | 3.0 s | 100 MB |",
    ]);
    expect(read("table.md")).toContain("| all | 1 | 2.0000 | – |");
    expect(read("table.md")).not.toContain("later");
  });

  test("are there for other programs, too", () => {
    expect(read("table.csv").split("\n")[3]).toBe("gamma,gamma-1,3,1.001,0.001,3,0.8,0,3,40");
    expect(read("table.tex")).toContain("gamma-0.25 & 3 & 1.0010 $\\pm$ 0.0010 & 0.5000 $\\pm$ 0.0000 & 40 & 50 \\%");
  });

  test("compare with the row that is the base, seed by seed and problem by problem", () => {
    const line = read("paired.md")
      .split("\n")
      .find((each) => each.startsWith("| gamma-1 | gamma-0.25 | exactMatch"))!;
    const cellsOfLine = line.split("|").map((cell) => cell.trim());
    expect(cellsOfLine[4]).toBe("+0.3000");
    expect(cellsOfLine[7]).toBe("0.250 (0.250)"); // all three seeds agree, which is the least that three can show
    expect(cellsOfLine[8]).toBe("18 : 0, p < 0.001");
    expect(cellsOfLine.slice(9, 12)).toEqual(["3", "2", "better"]);
  });

  test("say which expectations are met", () => {
    expect(text).toContain("gamma/gamma-1 better than gamma/gamma-0.25 by exactMatch: yes");
    expect(text).toContain("gamma/gamma-0 better than gamma/gamma-0.25 by loss: inconclusive");
    expect(text).toContain("later/ratio-0.7 better than gamma/gamma-0 by loss: not run");
    expect(met).toBe(false);
    expect(read("fidelity.md")).toMatch(
      /^\| \\\| two points\\<b> \| gamma\/gamma-1 better .* \| \+0\.3000 .*, 3 seeds: better \| yes \| tiny \|$/m,
    );
  });

  test("are a page that asks for nothing else and escapes what it shows", () => {
    const page = read("report.html");
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/<script|src="|href="(?!data:)|points<b>/);
    expect(page.match(/<svg\b/g)).toHaveLength(2); // two metrics of one axis
    expect(page).toContain("points&lt;b&gt;");
  });

  test("compare with other rows of the very same runs, and with cells beside them", async () => {
    const axis = { "selection.gamma": [0, 0.25], against: ["gamma-0", "@h2o"] };
    const here = place();
    const other = await openGrid(here, { metrics: ["accuracy"], axes: { gamma: axis } });
    for (const cell of other.cells) {
      const { folder: run, seed, arm } = cell;
      writeCell(other, cell, { loss: 1 });
      const right = Array.from({ length: 20 }, (_, i) => Number(i < (arm.name === "gamma-0" ? 10 : 16)));
      const rows = [
        { name: "sstoken", accuracy: right.filter((one) => one === 1).length / 20, rowCorrect: right },
        { model: "control", cache: "h2o", accuracy: seed / 20, rowCorrect: right.map((_, i) => Number(i < seed)) },
      ];
      writeFileSync(join(run, "results.json"), JSON.stringify({ rows }));
    }
    await collect(other);
    const lines = readFileSync(join(other.grid.config.output, "paired.md"), "utf8").split("\n");
    expect(lines.filter((line) => line.startsWith("| gamma")).map((line) => line.split(" | ").slice(0, 4))).toEqual([
      ["| gamma-0", "@h2o", "accuracy", "+0.4000"], // 10 of 20, where the others are 1, 2 and 3
      ["| gamma-0.25", "gamma-0", "accuracy", "+0.3000"],
      ["| gamma-0.25", "@h2o", "accuracy", "+0.7000"],
    ]);
    const wrong = await openGrid(here, { metrics: ["accuracy"], axes: { gamma: { ...axis, against: ["@h20"] } } });
    await expect(collect(wrong)).rejects.toThrow(userError("unknown-metric", "did you mean @h2o?"));
  });

  test("need a cell that is complete", async () => {
    await expect(collect(await openGrid(place()))).rejects.toThrow(userError("no-rows", "out"));
  });

  test("of a metric that no run has name the nearest that one has", async () => {
    const other = await openGrid(place(), { metrics: ["loss", "exactMach"] });
    writeCell(other, other.cells[0]!, { loss: 1, exactMatch: 0.5 });
    await expect(collect(other)).rejects.toThrow(userError("unknown-metric", "did you mean exactMatch?"));
  });

  test("test no claim on what a grid beside it has chosen settings by", async () => {
    const here = place();
    const validation = join(process.cwd(), "datasets/word-problems/validation.arrow");
    const keys = {
      set: { "data.validation": validation },
      expect: [{ cell: "gamma/gamma-0", over: "gamma/gamma-0.25", metric: "loss" }],
    };
    const claiming = await openGrid(here, keys);
    for (const cell of claiming.cells) writeCell(claiming, cell, { loss: 1 });
    await expect(collect(claiming)).resolves.toMatchObject({ met: false });
    const other = join(process.cwd(), "datasets/word-problems/train-noisy.arrow");
    const tuning = readFileSync(writeGrid(here, { set: { data: { train: other, validation } }, tune: true }), "utf8");
    const axes = { data: { "data.validation": [other, validation] } };
    const varying = readFileSync(writeGrid(here, { axes, tune: true }), "utf8");
    writeGrid(here, keys);
    for (const text of [tuning, varying]) {
      writeFileSync(join(here, "tune.yaml"), text);
      await expect(collect(claiming)).rejects.toThrow(userError("chosen-on", /validation\.arrow, by tune\.yaml/));
    }
    writeFileSync(join(here, "tune.yaml"), tuning.replace("validation.arrow", "train-noisy.arrow"));
    expect((await collect(claiming)).text).not.toContain("tune.yaml");
    writeFileSync(join(here, "tune.yaml"), tuning.replace("seeds", "sedes"));
    expect((await collect(claiming)).text).toMatch(/Note: tune\.yaml .* nobody knows on which problems: .*sedes/);
  });

  describe("of cells that are not as the grid has them", () => {
    const expected = [{ cell: "gamma/gamma-0", over: "gamma/gamma-0.25", metric: "loss" }];
    const clear = async (keys: object = {}) => {
      const cells = await openGrid(place(), { expect: expected, ...keys });
      for (const cell of cells.cells)
        writeCell(cells, cell, { loss: cell.arm.name === "gamma-0" ? 1 : 2, steps: 4, name: "sstoken" });
      return cells;
    };
    const table = ({ grid }: Cells, name = "table.md") => readFileSync(join(grid.config.output, name), "utf8");

    test("leave out those that were run with other settings, whose expectations are not met", async () => {
      const cells = await clear();
      expect(await collect(cells)).toMatchObject({ met: true });
      const [one, gone] = cells.cells;
      writeCell(cells, one!, { loss: 1 }, { "selection.ratio": 0.5 });
      rmSync(join(gone!.folder, "config.yaml"));
      const { text, met } = await collect(cells);
      expect(text).toMatch(/Note: gamma-0-s1 is left out.*selection\.ratio was 0\.5 and is now 0\.6/);
      expect(text).toMatch(/Note: gamma-0-s2 is left out.*config\.yaml is gone/);
      expect(table(cells)).toContain("| gamma-0 | 1 |");
      expect(met).toBe(false);
      expect(listText(cells, cells.cells).match(/ changed /g)).toHaveLength(2);
    });

    test("say so where all of them were", async () => {
      const cells = await openGrid(place());
      writeCell(cells, cells.cells[0]!, { loss: 1 }, { "training.steps": 7 });
      await expect(collect(cells)).rejects.toThrow(userError("no-rows", "training.steps was 7"));
    });

    test("count the seeds of each metric by itself, and name those that lack it", async () => {
      const cells = await clear({ metrics: ["loss", "exactMatch"] });
      cells.cells.forEach((cell, i) => writeCell(cells, cell, { loss: i, exactMatch: i === 1 ? null : 0.5 }));
      const { text } = await collect(cells);
      expect(table(cells)).toContain("| gamma-0 | 3 | 1.0000 ± 1.0000 | 0.5000 ± 0.0000 (n = 2) |");
      expect(table(cells, "table.csv")).toContain("\ngamma,gamma-0,3,1,1,3,0.5,0,2,40\n");
      expect(text).toContain("Note: exactMatch is missing, or no finite number, in gamma-0-s2");
    });

    test("name other numbers of threads", async () => {
      const cells = await clear();
      cells.cells.forEach((cell, i) => writeCell(cells, cell, { loss: 1 }, { threads: i === 4 ? 2 : 1 }));
      expect((await collect(cells)).text).toContain("(2: gamma-0.25-s2)");
    });

    test("are refused where a file of data has changed since another was run, and named where both are there", async () => {
      const here = place();
      const train = join(here, "train.jsonl");
      mkdirSync(here);
      writeFileSync(train, '{"prompt":"a","response":"b"}\n');
      const cells = await openGrid(here, { set: { "data.train": train } });
      const [first, second, third] = cells.cells;
      await noteData(cells, first!);
      writeCell(cells, first!, { loss: 1 });
      await noteData(cells, second!);
      writeCell(cells, second!, { loss: 1 });
      writeFileSync(train, '{"prompt":"a","response":"c"}\n');
      await expect(noteData(cells, third!)).rejects.toThrow(userError("run-changed", /train\.jsonl.* gamma-0-s1/));
      renameSync(first!.folder, `${first!.folder}.away`);
      await expect(noteData(cells, third!)).rejects.toThrow(userError("run-changed", "gamma-0-s2"));
      renameSync(second!.folder, `${second!.folder}.away`);
      await noteData(cells, third!);
      writeCell(cells, third!, { loss: 1 });
      for (const { folder: run } of [first!, second!]) renameSync(`${run}.away`, run);
      expect((await collect(cells)).text).toContain("Note: train.jsonl held something else when gamma-0-s3 ran");
    });

    test("are refused with the file where a model is another than an earlier cell started from", async () => {
      const here = place();
      const model = join(here, "model");
      cpSync(smallSolver, model, { recursive: true });
      const cells = await openGrid(here, { set: { model } });
      const [first, second] = cells.cells;
      await noteData(cells, first!);
      writeCell(cells, first!, { loss: 1 });
      writeFileSync(join(model, "README.md"), "A description changes nothing.\n");
      await noteData(cells, second!);
      const weights = join(model, "model.safetensors");
      const bytes = readFileSync(weights);
      bytes[bytes.length - 1]! ^= 1;
      writeFileSync(weights, bytes);
      await expect(noteData(cells, second!)).rejects.toThrow(
        userError("run-changed", /model\.safetensors.* gamma-0-s1/),
      );
    });

    test("are refused with the file where an answer is neither right nor wrong", async () => {
      const cells = await clear({ metrics: ["loss", "exactMatch"] });
      for (const cell of cells.cells) writeCell(cells, cell, { loss: 1, exactMatch: 1, rowCorrect: [1, 7] });
      await expect(collect(cells)).rejects.toThrow(userError("damaged-log", /000-gamma-0-s1.* 7/));
    });

    test("are refused with the file where the last evaluation is not there", async () => {
      const cells = await clear();
      const [{ folder: run } = cells.cells[0]!] = cells.cells;
      const path = join(run, "evaluation.jsonl");
      const whole = readFileSync(path, "utf8");
      writeFileSync(
        path,
        `${whole.replace('"loss":1', '"loss":3').replace('"step":4', '"step":2')}${whole.slice(0, -9)}`,
      );
      await expect(collect(cells)).rejects.toThrow(userError("damaged-log", /evaluation\.jsonl.*loss 3.* 1/));
      writeFileSync(path, whole.replace('"step":4', '"step":0'));
      await expect(collect(cells)).rejects.toThrow(userError("damaged-log", /evaluation\.jsonl.*step 0/));
    });

    test("meet no expectation of no difference with too few seeds", async () => {
      const none = [{ ...expected[0], verdict: "no difference shown" }];
      const few = await clear({ seeds: [1, 2], expect: none });
      expect(await collect(few)).toMatchObject({ met: false, text: expect.stringContaining("by loss: inconclusive") });
    });

    test("meet no expectation where they were not run, unless their axis was left out", async () => {
      const axes = { gamma: { "selection.gamma": [0, 0.25] }, ratio: { "selection.ratio": [0.6, 0.7] } };
      const cells = await openGrid(place(), {
        axes,
        expect: [...expected, { cell: "ratio/ratio-0.7", over: "ratio/ratio-0.6", metric: "loss" }],
      });
      for (const cell of cells.cells)
        if (cell.arm.axis === "gamma") writeCell(cells, cell, { loss: cell.arm.name === "gamma-0" ? 1 : 2 });
      expect(await collect(cells)).toMatchObject({ met: false });
      expect(await collect(cells, { axes: ["gamma"] })).toMatchObject({ met: true });
    });
  });
});
