import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compare, foreignShare, type Measured } from "../../bench/harness/compare.ts";
import { speedColumns, speedRows } from "../../bench/harness/speed.ts";
import { commandOf, recordRun } from "../../bench/harness/record.ts";
import { median } from "../../bench/harness/statistics.ts";
import { tableText } from "../../bench/harness/table.ts";
import { modelOf, parameterCount, trainingFlops } from "../../bench/models.ts";

const peer = join(import.meta.dirname, "peer.mjs");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bench-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function side(name: string, settings: object = {}) {
  return { name, program: peer, benchmark: "none", settings: { turns: join(folder, "turns"), name, ...settings } };
}

describe("compare", () => {
  test("asks the sides in turns, the order reversed every other round, one request after the other", async () => {
    const requests = [{ seconds: 1 }, { seconds: 2 }];
    const results = await compare([side("a"), side("b")], requests, { rounds: 3, onNotice: () => undefined });
    expect(readFileSync(join(folder, "turns"), "utf8")).toBe("abbaab" + "abbaab");
    const seconds = results.map((sides) => sides.map(({ rounds }) => rounds.map((round) => round.seconds)));
    expect(seconds).toEqual([
      [
        [1, 1, 1],
        [1, 1, 1],
      ],
      [
        [2, 2, 2],
        [2, 2, 2],
      ],
    ]);
    expect(results[0]![1]).toMatchObject({ name: "b", about: "peer b", baseline: false });
  });

  test("goes on without a peer that cannot run, and says why", async () => {
    const notices: string[] = [];
    const options = { rounds: 1, onNotice: (text: string) => void notices.push(text) };
    const results = await compare([side("a"), side("b", { dies: true })], [{ seconds: 1 }], options);
    expect(results[0]!.map(({ name }) => name)).toEqual(["a"]);
    expect(notices).toEqual(["b: its process ended: no module named torch"]);
  });
});

function measured(name: string, seconds: number[], change: Partial<Measured> = {}): Measured {
  const rounds = seconds.map((each) => ({
    ...{ seconds: each, cpuSeconds: 2 * each, wholeCpuSeconds: 2 * each, peakBytes: 2 ** 20 * each },
  }));
  return { name, baseline: false, about: name, rounds, wallSeconds: 10, foreignSeconds: 0, ...change };
}

describe("figures", () => {
  test("are medians, compared with the baseline and with the best matrix product", () => {
    const sides = [
      measured("ours", [1, 2, 9], { peakGflops: 10 }),
      measured("theirs", [4, 4, 5], { baseline: true, peakGflops: 20 }),
    ];
    const cells = speedRows(sides, { units: 100, flops: 1e10 });
    const named = cells.map((row) => Object.fromEntries(speedColumns("tokens").map(({ name }, i) => [name, row[i]])));
    // medians 2 s and 4 s, CPU 4 s and 8 s; 10 GFLOP in 2 s are 5 GFLOP/s, a quarter of 20
    expect(named[0]).toMatchObject({ "tokens/s": 50, ratio: 2, "CPU ratio": 2, "GFLOP/s": 5, "of peak": 0.25 });
    expect(named[1]).toMatchObject({ "tokens/s": 25, ratio: 1, "CPU ratio": 1, "GFLOP/s": 2.5 });
    expect(named[0]!["peak MB"]).toBe(9 * 2 ** 20);
  });

  test("have no ratio without a baseline, and the printed table then no such column", () => {
    const table = {
      title: "Speed",
      columns: speedColumns("rows"),
      rows: speedRows([measured("a", [1])], { units: 3 }),
    };
    const lines = tableText(table).split("\n");
    expect(lines[2]).not.toContain("ratio");
    expect(lines[2]).toMatch(/^\| side +\| rows\/s \|/);
    expect(new Set(lines.slice(2).map((line) => line.length)).size).toBe(1);
  });

  test("say what other processes took, but for times too short to know", () => {
    expect(foreignShare([measured("a", [1], { wallSeconds: 10, foreignSeconds: 5 })], 2)).toBe(0.25);
    expect(foreignShare([measured("a", [1], { wallSeconds: 0.1, foreignSeconds: 0 })], 2)).toBeNull();
  });

  test("the median of an even number of rounds lies between the middle two", () => {
    expect(median([4, 1, 3, 100])).toBe(3.5);
  });
});

test("a recorded run takes the place of the same command's, or stands before the notes", () => {
  const file = join(folder, "RESULTS.md");
  writeFileSync(file, "# Figures\n\n## npm run bench -- step\n\n- old\n\n## Notes\n\nRead this.\n");
  recordRun(file, commandOf("step", ["--json", "x", "--record"]), ["new"], ["| a |"]);
  recordRun(file, commandOf("ops", ["--python=p", "--threads", "2"]), ["other"], []);
  expect(readFileSync(file, "utf8")).toBe(
    "# Figures\n\n## npm run bench -- step\n\n- new\n\n| a |\n\n" +
      "## npm run bench -- ops --threads 2\n\n- other\n\n## Notes\n\nRead this.\n",
  );
});

test("a command names files elsewhere without their folders, and not the Python", () => {
  const argv = ["--model", "/data/model.gguf", "--python", "/usr/bin/python3", "--threads", "1"];
  expect(commandOf("step", argv)).toBe("npm run bench -- step --model model.gguf --threads 1");
});

test("parameters and operations of a step are those of the small model", async () => {
  const model = await modelOf({}, false);
  // embedding 8192 x 384; a block: 4 x 384² + 3 x 384 x 1024, two gains; a last gain
  const blocks = 6 * (4 * 384 ** 2 + 3 * 384 * 1024);
  expect(parameterCount(model)).toBe(8192 * 384 + blocks + 13 * 384);
  // 2 for each weight and token; attention 2 products of width x width / 2 pairs; backward twice the forward
  const forward = 2 * 1024 * (blocks + 8192 * 384) + 4 * 6 * 2 * 384 * 256 * 256;
  expect(trainingFlops(model, 4, 256)).toBe(3 * forward);
});
