import { afterEach, describe, expect, test } from "@jest/globals";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderOrealReport, writeOrealReport } from "../../../src/recipes/oreal/report.ts";
import { picturedRow, writeOrealRun } from "../report-fixtures.ts";
import { evil, expectEscaped, expectNested, expectSelfContained, flat, page } from "../../report/report-page.ts";
import { lines } from "../../report/run-fixture.ts";

let folder = "";
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a report of an OREAL run", () => {
  test("is written into the run's folder, one page that asks for nothing", () => {
    folder = writeOrealRun();
    const markup = readFileSync(writeOrealReport(folder, { command: "npx tsx trainers/oreal.ts" }), "utf8");
    expectSelfContained(markup);
    expectNested(markup);
  });

  test("says what was run and what came of it", () => {
    folder = writeOrealRun();
    const { document, facts, titles } = page(renderOrealReport(folder));
    expect(flat(document.querySelector("h1")?.textContent)).toBe("oreal on questions.arrow");
    expect(flat(document.querySelector("header p")?.textContent)).toBe(
      "In 3 iterations over 24 answers the share of right answers to held-out problems went from 25.0 % to 50.0 % of the model's likeliest answers, and of its sampled ones from 12.5 % to 25.0 %.",
    );
    for (const fact of ["Recipe oreal", "Objective recommended", "Answers an iteration 2 to each of 4 questions"])
      expect(facts()).toContain(fact);
    expect(titles()).toEqual([
      ...["Results", "Right answers", "Rewards", "Loss", "Token weights", "Answers and their token weights"],
      ...["Course", "Configuration"],
    ]);
  });

  test("has every arm's held-out numbers, and compares learned weights with shuffled ones too", () => {
    folder = writeOrealRun();
    const { cells, text } = page(renderOrealReport(folder));
    expect(cells("Results")).toEqual([
      ["(start)", "25.0 %", "12.5 %", "0", "0", "–", "–"],
      ["oreal", "50.0 %", "25.0 %", "3", "24", "6.0 s", "recommended, no token weights"],
      ["learned", "75.0 %", "37.5 %", "3", "24", "6.0 s", "recommended, learned token weights"],
      [
        ...["shuffled", "25.0 %", "12.5 %", "3", "24", "6.0 s"],
        "recommended, control: learned token weights, shuffled within each answer",
      ],
    ]);
    expect(cells("Results", 1).map((row) => [row[0], row[1], row[4]])).toEqual([
      ["oreal − learned", "−25.0", "−12.5"],
      ["oreal − shuffled", "+25.0", "+12.5"],
      ["learned − shuffled", "+50.0", "+25.0"],
    ]);
    expect(text).toContain("this run cannot name a winner");
  });

  test("draws the rewards of every arm's iterations as parts of a whole", () => {
    folder = writeOrealRun();
    const figures = [...page(renderOrealReport(folder)).section("Rewards")!.querySelectorAll("figure")];
    expect(figures.map((figure) => flat(figure.querySelector("figcaption")?.textContent))).toEqual([
      "oreal: what the verifier said of the answers.",
      "oreal: the questions by their answers.",
      "learned: what the verifier said of the answers.",
      "shuffled: what the verifier said of the answers.",
    ]);
    // three iterations of right, wrong and no answer; nothing timed out
    expect(figures[0]!.querySelectorAll("rect").length).toBe(9);
    expect(flat(figures[0]!.textContent)).toMatch(/right.*wrong.*no answer found/);
    expect(flat(figures[0]!.textContent)).not.toContain("timed out");
  });

  test("colours tokens by their weights where there are any", () => {
    folder = writeOrealRun();
    const section = page(renderOrealReport(folder)).section("Answers and their token weights")!;
    expect([...section.querySelectorAll("h3")].map((title) => flat(title.textContent))).toEqual([
      "oreal, iteration 3",
      "learned, iteration 3",
      "shuffled, iteration 3",
    ]);
    const rows = [...section.querySelectorAll("figure.row")];
    const classes = rows.map((row) => [...row.querySelectorAll(".tokens > span")].map((span) => span.className));
    expect(classes[0]).toEqual(["p", "s", "s", "s", "s"]); // all weigh the same
    expect(classes[1]).toEqual(["p", "s s0 d", "s s2", "s s9", "s s5"]); // 0, .5, 2 and 1 of at most 2
    expect(rows[1]!.querySelectorAll("span")[3]!.getAttribute("title")).toBe("token 3, answer; token weight 2");
    expect(flat(rows[1]!.querySelector("figcaption")?.textContent)).toBe(
      "Question 12, wrong: reward 0, advantage 0.50",
    );
  });

  test("draws no reward model where no arm has one", () => {
    folder = writeOrealRun();
    for (const name of ["learned", "shuffled"]) rmSync(join(folder, name), { recursive: true });
    const { section } = page(renderOrealReport(folder));
    expect(section("Token weights")).toBeUndefined();
    expect(section("Results")!.querySelectorAll("table").length).toBe(1);
  });

  test("shows hostile text as text, and stays small however long the run", () => {
    folder = writeOrealRun();
    const n = 5000;
    const many = <T>(value: T) => new Array<T>(n).fill(value);
    const row = { ...picturedRow({ noise: undefined }), pieces: many(evil), response: many(1), weights: many(1) };
    const rows = many({ ...row, score: many(0.5), scoreName: evil, verdict: evil, reward: evil }).slice(0, 20);
    for (const name of ["", "learned", "shuffled"])
      writeFileSync(join(folder, name, "tokens.json"), JSON.stringify({ rows }));
    const shares = { correct: 0.25, wrong: 0.75, responses: 8, passRate: 0.25, loss: 1 };
    writeFileSync(
      join(folder, "metrics.jsonl"),
      lines(Array.from({ length: n }, (_, i) => ({ step: i + 1, ...shares }))),
    );
    const markup = renderOrealReport(folder, { command: evil });
    expectEscaped(markup);
    expect(markup.length).toBeLessThan(2_000_000);
  });

  test("of a run that was cut off says so", () => {
    folder = writeOrealRun();
    for (const name of ["summary.json", "tokens.json", "evaluation.jsonl"]) rmSync(join(folder, name));
    const { document, cells } = page(renderOrealReport(folder));
    expect(flat(document.querySelector("aside li")?.textContent)).toBe(
      "oreal has not come to its end; what is shown is as of iteration 3 of 3.",
    );
    expect(cells("Results")[1]!.slice(0, 3)).toEqual(["oreal", "–", "–"]);
    expect(cells("Results", 1)[0]).toEqual(["oreal − learned", "not both have answered held-out problems"]);
  });
});
