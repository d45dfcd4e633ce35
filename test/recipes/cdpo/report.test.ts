import { afterEach, describe, expect, test } from "@jest/globals";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderCdpoReport, writeCdpoReport } from "../../../src/recipes/cdpo/report.ts";
import { cdpoResults, picturedRow, writeCdpoRun } from "../report-fixtures.ts";
import { evil, expectEscaped, expectNested, expectSelfContained, flat, page } from "../../report/report-page.ts";
import { emptyFolder, lines } from "../../report/run-fixture.ts";
import { userError } from "../../user-error.ts";

let folder = "";
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a report of a cDPO run", () => {
  test("is written into the run's folder, one page that asks for nothing", () => {
    folder = writeCdpoRun();
    const path = writeCdpoReport(folder, { command: "npx tsx trainers/cdpo.ts --config a.yaml" });
    expect(path).toBe(join(folder, "report.html"));
    const markup = readFileSync(path, "utf8");
    expectSelfContained(markup);
    expectNested(markup);
  });

  test("says what was run and what came of it", () => {
    folder = writeCdpoRun();
    const { document, facts, titles } = page(renderCdpoReport(folder, { command: "npx tsx trainers/cdpo.ts" }));
    expect(flat(document.querySelector("h1")?.textContent)).toBe("cdpo on questions.arrow");
    expect(flat(document.querySelector("header p")?.textContent)).toMatch(/right in 75.0 % of cases \(50.0 % before\)/);
    for (const fact of ["Recipe cdpo", "Objective cdpo, dpoBeta 1", "Model tiny", "Pairs 12", "Seed 42"])
      expect(facts()).toContain(fact);
    expect(facts()).toContain("Engine cpu, 1 thread");
    expect(facts()).toContain("Ended 2024-02-03 04:05 UTC");
    expect(facts().at(-1)).toBe("Command npx tsx trainers/cdpo.ts");
    expect(titles()).toEqual(["Results", "Alignment", "Contrast", "Critical tokens", "Course", "Configuration"]);
    expect(document.querySelector("aside")).toBeNull();
  });

  test("has the numbers of results.json, and names controls as such", () => {
    folder = writeCdpoRun();
    const { cells } = page(renderCdpoReport(folder));
    const shares = (share: number) => `${(100 * share).toFixed(1)} %`;
    expect(cells("Results").map((row) => row.slice(0, 4))).toEqual(
      cdpoResults.rows.map(({ name, greedy, sampled }) => [name, shares(greedy), shares(sampled), "4"]),
    );
    expect(cells("Results")[2]![4]).toBe("control: the same weights, shuffled within each answer");
    expect(cells("Contrast")).toEqual([
      ["wrong", "0.800", "15.0 %"],
      ["right", "0.900", "5.0 %"],
    ]);
  });

  test("compares the main arm with every other model on the same problems, and names no winner", () => {
    folder = writeCdpoRun();
    const { cells, text } = page(renderCdpoReport(folder));
    // greedy 3/4 - 2/4 and 3/4 - 4/4; sampled .375 - .25 and .375 - .5
    expect(cells("Results", 1).map((row) => [row[0], row[1], row[4], row.at(-1)])).toEqual([
      ["cdpo − base", "+25.0", "+12.5", "4"],
      ["cdpo − control", "−25.0", "−12.5", "4"],
    ]);
    expect(text).toContain("this run cannot name a winner");
  });

  test("colours critical tokens by 1 − s, not by rank", () => {
    folder = writeCdpoRun();
    const { section } = page(renderCdpoReport(folder));
    const rows = [...section("Critical tokens")!.querySelectorAll("figure.row")];
    expect(rows.map((row) => flat(row.querySelector("figcaption")?.textContent))).toEqual([
      "Question 12, wrong answer: 1 of 4 tokens critical",
      "Question 12, right answer, cut off: 1 of 4 tokens critical",
    ]);
    const spans = [...rows[0]!.querySelectorAll(".tokens > span")];
    expect(spans.map((span) => span.className)).toEqual(["p", "s s1", "s s2", "s s9", "s s0"]);
    expect(spans[3]!.getAttribute("title")).toBe("token 3, answer; 1 − s 0.9; critical: s below ½");
    expect(flat(rows[1]!.textContent)).toContain("… 1 tokens before"); // the prompt stands with the wrong answer
  });

  test("draws every arm's curves and those of the contrasted models", () => {
    folder = writeCdpoRun();
    const { section } = page(renderCdpoReport(folder));
    expect(section("Alignment")!.querySelectorAll("figure > svg").length).toBe(5);
    expect(section("Contrast")!.querySelectorAll("figure > svg").length).toBe(1);
    expect(flat(section("Alignment")!.querySelector("svg")?.textContent)).toContain("control");
  });

  test("shows the starting model's and the main arm's answers beside each other", () => {
    folder = writeCdpoRun();
    expect(page(renderCdpoReport(folder)).section("Answers")).toBeUndefined();
    const side = (answer: string, correct: number) => [{ row: 7, prompt: evil, reference: "12", answer, correct }];
    const sides = { before: side("It is 3", 0), after: side(`It is ${evil}`, 1) };
    writeFileSync(join(folder, "answers.json"), JSON.stringify(sides));
    const markup = renderCdpoReport(folder);
    expectEscaped(markup);
    const { section } = page(markup);
    expect([...section("Answers")!.querySelectorAll("dt")].map(({ textContent }) => textContent)).toEqual([
      ...["Reference", "Before: wrong", "After: right"],
    ]);
    expect(flat(section("Answers")!.querySelector("p")?.textContent)).toContain("Of those 1, 1 are right now");
  });

  test("draws what was measured of held-out rows on the way", () => {
    folder = writeCdpoRun();
    expect(page(renderCdpoReport(folder)).section("Held-out rows")).toBeUndefined();
    for (const arm of ["cdpo", "control"]) {
      const evaluations = [0, 2, 3, 4].map((step) => ({ step, loss: 1 / (1 + step), referenceProbability: step / 8 }));
      writeFileSync(join(folder, arm, "evaluation.jsonl"), lines(evaluations));
    }
    const svgs = [...page(renderCdpoReport(folder)).section("Held-out rows")!.querySelectorAll("svg")];
    expect(svgs.map((svg) => svg.querySelectorAll("circle").length)).toEqual([8, 8]); // four of each arm
  });

  test("shows hostile text as text, and stays small", () => {
    folder = writeCdpoRun();
    const n = 5000;
    const many = <T>(value: T) => new Array<T>(n).fill(value);
    const row = { ...picturedRow(), pieces: many(evil), response: many(1), weights: many(1), score: many(0.5) };
    const rows = many({ ...row, noise: many(1), scoreName: evil, side: evil, finished: evil }).slice(0, 30);
    writeFileSync(join(folder, "tokens.json"), JSON.stringify({ rows }));
    const models = many({ ...cdpoResults.rows[0], name: evil, learnt: evil }).slice(0, 3);
    writeFileSync(join(folder, "results.json"), JSON.stringify({ ...cdpoResults, rows: models }));
    const markup = renderCdpoReport(folder, { command: evil });
    expectEscaped(markup);
    expect(markup.length).toBeLessThan(2_000_000);
    expect(flat(page(markup).section("Critical tokens")?.textContent)).toContain("answers are left out");
  });

  test("of a run that was cut off says so, and of a folder without one throws", () => {
    folder = writeCdpoRun();
    for (const name of ["results.json", "tokens.json", "cdpo/summary.json"]) rmSync(join(folder, name));
    rmSync(join(folder, "control"), { recursive: true });
    const { document, text, section } = page(renderCdpoReport(folder));
    const warnings = [...document.querySelectorAll("aside li")].map((item) => flat(item.textContent));
    expect(warnings).toEqual([
      "cdpo has not come to its end; what is shown is as of step 4.",
      "control: the configuration names this arm, but it has no results here (not run yet?).",
    ]);
    expect(text).toContain("no held-out results yet");
    expect(section("Critical tokens")).toBeUndefined();
    const empty = emptyFolder();
    expect(() => writeCdpoReport(empty)).toThrow(userError("no-run", empty));
    expect(existsSync(join(empty, "report.html"))).toBe(false);
    rmSync(empty, { recursive: true });
  });

  test.each(["../../cdpo", ".."])("reads no folder outside the run for an arm named %s", (name) => {
    folder = writeCdpoRun();
    const config = readFileSync(join(folder, "config.yaml"), "utf8");
    writeFileSync(join(folder, "config.yaml"), config.replace("align: {", `align: { name: ${name},`));
    expect(flat(page(renderCdpoReport(folder)).document.querySelector("h1")?.textContent)).toMatch(/^cdpo on/);
  });
});
