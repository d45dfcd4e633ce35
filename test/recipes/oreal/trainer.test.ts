import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { readModelFacts } from "../../../src/model/model.ts";
import { pictureResponses } from "../../../src/recipes/oreal/pictures.ts";
import { smallSolver } from "../small-run.ts";
import { writeOreal } from "./small-run.ts";
import { page } from "../../report/report-page.ts";
import { runHere } from "../run-here.ts";
import { wholeRun } from "../whole-run.ts";

const run = (config: string, ...flags: string[]) => runHere("oreal", config, ...flags);

let base: string;
let whole: string;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-oreal-recipe-"));
  whole = (await wholeRun("oreal")).output;
}, 120_000);
afterAll(() => rmSync(base, { recursive: true }));

/** Nats per token of the answers that an iteration learnt from, the highest first. */
function lossesLearntFrom(iteration: number): number[] {
  const table = openArrow(join(whole, `trajectories/iteration-${iteration}.arrow`));
  const rows = Array.from({ length: table.rows }, (_, i) => table.row(i, ["kept", "log_probs"]));
  table.close();
  const kept = rows.flatMap(({ kept, log_probs }) => (kept === true ? [[...(log_probs as Float32Array)]] : []));
  return kept.map((list) => -list.reduce((sum, x) => sum + x, 0) / list.length).sort((a, b) => b - a);
}

describe("the OREAL recipe", () => {
  test("counts iterations and responses in its table", () => {
    expect(readFileSync(join(whole, "table.txt"), "utf8")).toMatch(/^rloo( +\d\.\d{3}){4} +3 +60 /m);
  });

  test("ends with a report of the same numbers, and responses under their token weights", () => {
    const markup = readFileSync(join(whole, "report.html"), "utf8");
    const { cells, section } = page(markup);
    const results = JSON.parse(readFileSync(join(whole, "results.json"), "utf8")) as {
      rows: { name: string; responses: number; exactMatch: number }[];
      finding: string;
    };
    expect(results.finding).toMatch(/held-out rows \S+ has .* greedy answers (than|from) \S+ \(/);
    expect(cells("Results").map((row) => [row[0], row[1], row[8]])).toEqual(
      results.rows.map(({ name, exactMatch, responses }) => [
        name,
        `${(100 * exactMatch).toFixed(1)} %`,
        String(responses),
      ]),
    );
    const { rows } = JSON.parse(readFileSync(join(whole, "tokens.json"), "utf8")) as { rows: { loss: number }[] };
    expect(rows.map(({ loss }) => loss)).toEqual(lossesLearntFrom(3).slice(0, 3));
    const figures = section("Answers and their token weights")?.querySelectorAll("h3, figure.row") ?? [];
    expect(figures.length).toBe(rows.length > 0 ? 1 + rows.length : 0);
  });

  test("pictures the first answers, the best, or those to listed questions where they were last learnt from", async () => {
    const { tokenizer } = await readModelFacts(smallSolver);
    const notes: string[] = [];
    const options = { tokenizer, vocabularySize: 1000, note: (text: string) => void notes.push(text) };
    const last = pictureResponses(whole, 2, { kind: "first", count: 32 }, options).rows;
    const kinds = last.map(({ rowId, verdict }) => `${rowId} ${verdict === "correct"}`);
    expect(new Set(kinds).size).toBe(kinds.length);
    const best = pictureResponses(whole, 2, { kind: "best", count: 32 }, options);
    expect(best.rows.map(({ loss }) => loss)).toEqual(lossesLearntFrom(3).toReversed());
    expect(best.chosen).toEqual({ rows: "best", among: best.rows.length });

    const early = [0, 1].flatMap((k) => pictureResponses(whole, k, { kind: "first", count: 32 }, options).rows);
    const before = early.find(({ rowId }) => last.every((row) => row.rowId !== rowId))!.rowId;
    const asked = [before, last[0]!.rowId, 1000];
    const { rows } = pictureResponses(whole, 2, { listed: asked }, options);
    expect([...new Set(rows.map(({ rowId }) => rowId))]).toEqual(asked.slice(0, 2));
    for (const { rowId, iteration } of rows) expect(iteration === undefined).toBe(rowId !== before);
    expect(notes).toEqual([expect.stringContaining("question 1000")]);
  });

  test("refuses to go on under other settings, and names each", async () => {
    const changes = ["--set", "objective.keep=pair", "--set", "sampling.samples=3"];
    const { code, stderr } = await run(join(whole, "../config.yaml"), "--resume", ...changes);
    expect(code).toBe(2);
    expect(stderr).toMatch(/objective\.keep was "?all"? and is now "?pair"?/);
    expect(stderr).toMatch(/sampling.samples was 4 and is now 3/);
    expect(stderr).not.toContain("    at ");
  });

  test("says in one message that a model or rows to learn from are missing", async () => {
    const config = writeOreal(join(base, "wrong"));
    const { code, stderr } = await run(config, "--set", "model=nowhere");
    expect(code).toBe(2);
    expect(stderr).toMatch(/model .*nowhere/);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
