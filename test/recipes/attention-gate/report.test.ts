import { afterEach, describe, expect, test } from "@jest/globals";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderGateReport, writeGateReport } from "../../../src/recipes/attention-gate/report.ts";
import { baselineNotes } from "../../../src/recipes/attention-gate/results.ts";
import { gateCaches, picturedRow, writeGateRun } from "../report-fixtures.ts";
import { evil, expectEscaped, expectNested, expectSelfContained, flat, page } from "../../report/report-page.ts";

let folder = "";
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a report of an Attention-Gate run", () => {
  test("is written into the run's folder, one page that asks for nothing", () => {
    folder = writeGateRun();
    const markup = readFileSync(writeGateReport(folder, { command: "npx tsx trainers/attention-gate.ts" }), "utf8");
    expectSelfContained(markup);
    expectNested(markup);
  });

  test("says what was run and what came of it", () => {
    folder = writeGateRun();
    const { document, facts, titles } = page(renderGateReport(folder));
    expect(flat(document.querySelector("h1")?.textContent)).toBe("attention-gate on prompts.arrow");
    expect(flat(document.querySelector("header p")?.textContent)).toBe(
      "The gates keep 62.5 % of a prompt's key-value cache. Over it 50.0 % of the answers to 4 held-out prompts are right; without gates, over all entries, 75.0 % are.",
    );
    for (const fact of ["Recipe attention-gate", "Never evicted first 1 tokens, last 1", "Seed 7"])
      expect(facts()).toContain(fact);
    expect(titles()).toEqual([
      ...["Results", "Loss", "Kept entries", "Layers and heads", "Tokens in the cache", "Course", "Configuration"],
    ]);
    expect(document.querySelector("aside")).toBeNull();
  });

  test("has the numbers of results.json", () => {
    folder = writeGateRun();
    const shares = (share: number) => `${(100 * share).toFixed(1)} %`;
    expect(page(renderGateReport(folder)).cells("Results")).toEqual(
      gateCaches.map(({ model, cache, accuracy, kept, evicted, bytes }) => [
        ...[model, cache, shares(accuracy), shares(kept), shares(evicted)],
        ...[bytes === 1000 ? "1,000" : "625", "", "100", "50.0 %", "25.0 %"],
      ]),
    );
  });

  test("compares the gates' cache with each other one on the same prompts", () => {
    folder = writeGateRun();
    const { cells, text } = page(renderGateReport(folder));
    expect(cells("Results", 1).map((row) => row.slice(0, 2))).toEqual([
      ["gates − full gates", "−25.0"],
      ["gates − full control", "−25.0"],
      ["gates − h2o control", "+25.0"],
    ]);
    expect(text).toContain("this run cannot name a winner");
  });

  test("shows what every layer and head keeps", () => {
    folder = writeGateRun();
    const { cells, section } = page(renderGateReport(folder));
    expect(cells("Layers and heads")).toEqual([
      ["layer 1", "100 %", "75 %"],
      ["layer 2", "50 %", "0 %"],
    ]);
    const shades = [...section("Layers and heads")!.querySelectorAll("td span")].map((span) => span.className);
    expect(shades).toEqual(["s s9", "s s7", "s s5", "s s0"]);
  });

  test("colours a prompt's tokens by the share of heads that keep them, over all layers and in each", () => {
    folder = writeGateRun();
    const rows = [...page(renderGateReport(folder)).section("Tokens in the cache")!.querySelectorAll("figure.row")];
    // of three tokens that may go: (.5 + .75 + 0) / 3; layer 1: (1 + 1 + 0) / 3; layer 2: (0 + .5 + 0) / 3
    expect(rows.map((row) => flat(row.querySelector("figcaption")?.textContent))).toEqual([
      "Row 12, all layers: 42 % of the entries that may be evicted are kept (0 % of the sentences that matter, 63 % of the rest)",
      "Layer 1: 67 % of the entries that may be evicted are kept (0 % of the sentences that matter, 100 % of the rest)",
      "Layer 2: 17 % of the entries that may be evicted are kept (0 % of the sentences that matter, 25 % of the rest)",
    ]);
    const classes = rows.map((row) => [...row.querySelectorAll(".tokens > span")].map((span) => span.className));
    expect(classes).toEqual([
      ["p", "s s5", "s s7", "s s0 d", "p"],
      ["p", "s s9", "s s9", "s s0 d", "p"],
      ["p", "s s0 d", "s s5", "s s0 d", "p"],
    ]);
  });

  test("takes neighbouring layers of a deep model together", () => {
    folder = writeGateRun();
    const row = {
      ...picturedRow(),
      heads: 1,
      keptHeads: Array.from({ length: 32 }, (_, l) => [1, l < 6 ? 1 : 0, 0, 1, 1]),
    };
    writeFileSync(join(folder, "tokens.json"), JSON.stringify({ step: 4, rows: [row] }));
    const rows = page(renderGateReport(folder)).section("Tokens in the cache")!.querySelectorAll("figure.row");
    const captions = [...rows].map((each) => flat(each.querySelector("figcaption")?.textContent).split(":")[0]);
    expect(captions).toEqual([
      ...["Row 12, all layers", "Layers 1 to 6", "Layers 7 to 12", "Layers 13 to 18", "Layers 19 to 24"],
      ...["Layers 25 to 30", "Layers 31 to 32"],
    ]);
  });

  test("says below the table why baselines are missing, where the run said so", () => {
    folder = writeGateRun();
    const [note] = baselineNotes([{ ...gateCaches[0], kept: 1, evicted: 0 }], [{ method: "h2o" }]);
    expect(flat(page(renderGateReport(folder)).section("Results")!.textContent)).not.toContain("evicted nothing");
    writeFileSync(join(folder, "results.json"), JSON.stringify({ rows: gateCaches.slice(0, 3), notes: [note] }));
    expect(flat(page(renderGateReport(folder)).section("Results")!.textContent)).toContain(note);
  });

  test("shows hostile text as text, and stays small", () => {
    folder = writeGateRun();
    const n = 5000;
    const many = <T>(value: T) => new Array<T>(n).fill(value);
    const row = { rowId: 1, pieces: many(evil), response: many(1), weights: many(1), score: many(0.5), noise: many(1) };
    const rows = many({ ...row, scoreName: evil, heads: 2, keptHeads: many(many(1)).slice(0, 40) }).slice(0, 6);
    writeFileSync(join(folder, "tokens.json"), JSON.stringify({ rows }));
    const caches = many({ ...gateCaches[0], model: evil, cache: evil }).slice(0, 1000);
    writeFileSync(join(folder, "results.json"), JSON.stringify({ rows: caches, notes: many(evil) }));
    writeFileSync(
      join(folder, "evaluation.jsonl"),
      `${JSON.stringify({ step: 4, loss: evil, evictedByHead: many(many(evil).slice(0, 100)).slice(0, 200) })}\n`,
    );
    const markup = renderGateReport(folder, { command: evil });
    expectEscaped(markup);
    expect(markup.length).toBeLessThan(2_000_000);
  });

  test("needs neither answers nor pictures, and says that a control is missing", () => {
    folder = writeGateRun();
    for (const name of ["results.json", "tokens.json", "summary.json", "evaluation.jsonl"]) rmSync(join(folder, name));
    rmSync(join(folder, "control"), { recursive: true });
    const markup = renderGateReport(folder);
    const { document, titles } = page(markup);
    expect([...document.querySelectorAll("aside li")].map((item) => flat(item.textContent))).toEqual([
      "gates has not come to its end; what is shown is as of step 4 of 4.",
      "control: the configuration names this arm, but it has no results here (not run yet?).",
    ]);
    expect(titles()).toEqual(["Results", "Loss", "Kept entries", "Course", "Configuration"]);
    expectSelfContained(markup);
  });
});
