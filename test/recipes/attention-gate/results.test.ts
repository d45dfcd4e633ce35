import { describe, expect, test } from "@jest/globals";
import { baselineNotes, comparedCaches, gateResults } from "../../../src/recipes/attention-gate/results.ts";
import { findingOf } from "../../../src/recipes/kit/finding.ts";
import { resultText } from "../../../src/recipes/kit/results.ts";
import { gateCaches } from "../report-fixtures.ts";

const baselines = [{ method: "snap-kv" }, { method: "h2o" }];
const [gates, full] = gateCaches;
const idle = [{ ...gates, kept: 1, evicted: 0 }, full!];

describe("the results of an Attention-Gate run", () => {
  test("say why there are no baselines where the gates evict nothing, below the terminal's table", () => {
    const notes = baselineNotes(idle, baselines);
    expect(notes).toEqual([
      expect.stringMatching(/^The gates evicted nothing, so snap-kv, h2o could not be compared: /),
    ]);
    const lines = resultText(gateResults, idle, notes).split("\n");
    expect(lines.slice(3)).toEqual([...notes, ""]); // below the head and two rows
  });

  test("end with how the gates' cache compares with the others of the model without gates, not with its own model", () => {
    const right = (places: readonly number[]) => Array.from({ length: 40 }, (_, i) => Number(places.includes(i % 4)));
    const rows = [[0, 1, 2], [0, 1, 2, 3], [0, 1, 2], [0]].map((places, index) => ({
      ...gateCaches[index]!,
      rowCorrect: right(places),
    }));
    const found = findingOf(gateResults, comparedCaches(rows)!);
    expect(found).toMatch(
      /^On 40 held-out rows gates has a higher share of right greedy answers than h2o \(\+50\.0 points \[[^\]]+\]\), no clearly different share of right greedy answers from all entries without gates \([^)]+\) \(95 % intervals/,
    );
    expect(comparedCaches(rows.slice(1))).toBeUndefined(); // gates of plain text answer nothing
  });

  test("compare gates that keep a share with what keeps the same share, and with all entries", () => {
    const row = (model: string, cache: string, keep?: number) => ({
      ...gateCaches[0]!,
      ...{ model, cache, ...(keep !== undefined && { keep }) },
    });
    const names = ["gates 0.4", "gates 0.25", "h2o 0.4", "h2o 0.25"];
    const [first, second, ...others] = names.map((name, i) =>
      row(i < 2 ? "gates" : "model", name, Number(name.slice(-4))),
    );
    const { main, controls } = comparedCaches([first!, second!, row("model", "full"), ...others])!;
    expect([main.name, controls.map(({ name }) => name)]).toEqual([
      "gates 0.4",
      ["all entries without gates", "h2o 0.4"],
    ]);
  });

  test("say nothing where the gates evict, nothing was answered, or no baseline was asked for", () => {
    expect(baselineNotes(gateCaches, baselines)).toEqual([]);
    expect(baselineNotes([], baselines)).toEqual([]);
    expect(baselineNotes(idle, [])).toEqual([]);
  });
});
