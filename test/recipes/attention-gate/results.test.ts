import { describe, expect, test } from "@jest/globals";
import { baselineNotes, gateResults } from "../../../src/recipes/attention-gate/results.ts";
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

  test("say nothing where the gates evict, nothing was answered, or no baseline was asked for", () => {
    expect(baselineNotes(gateCaches, baselines)).toEqual([]);
    expect(baselineNotes([], baselines)).toEqual([]);
    expect(baselineNotes(idle, [])).toEqual([]);
  });
});
