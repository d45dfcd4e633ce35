import { afterEach, describe, expect, test } from "@jest/globals";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderReport, writeReport } from "../../../src/recipes/finetune/report.ts";
import { evil, expectEscaped, expectNested, expectSelfContained, flat, page } from "../../report/report-page.ts";
import { config, emptyFolder, lines, tokenRow, writeArm, writeRun } from "../../report/run-fixture.ts";
import { userError } from "../../user-error.ts";

let folder = "";
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a report", () => {
  test("is written into the run's folder, and the same run gives the same bytes", () => {
    folder = writeRun();
    const path = writeReport(folder);
    expect(path).toBe(join(folder, "report.html"));
    expect(readFileSync(path, "utf8")).toBe(renderReport(folder));
  });

  test("says what was run and what came of it", () => {
    folder = writeRun();
    const { document, text } = page(renderReport(folder));
    expect(flat(document.querySelector("h1")?.textContent)).toBe("sstoken on noisy.arrow");
    expect(document.title).toBe("sstoken on noisy.arrow");
    expect(flat(document.querySelector("header p")?.textContent)).toBe(
      "Held-out loss fell from 3.000 to 1.500 in 4 steps, training on 60 % of the response tokens.",
    );
    const facts = [...document.querySelectorAll("dl div")].map((fact) => flat(fact.textContent));
    expect(facts).toContain("Method sstoken, ratio 0.6");
    expect(facts).toContain("Model tiny");
    expect(facts).toContain("Seed 7");
    expect(facts).toContain("Engine cpu, 1 thread");
    expect(facts).toContain("Time 8.0 s");
    expect(facts).toContain("Ended 2024-02-03 04:05 UTC");
    expect(text).toContain("REL hardly varies.");
    expect(document.querySelector("details pre")?.textContent).toContain("selection: { method: sstoken, ratio: 0.6 }");
  });

  test("has every arm's held-out numbers before and after", () => {
    folder = writeRun();
    // exp(3) = 20.09, exp(1.5) = 4.48, exp(1.75) = 5.75, exp(2) = 7.39
    expect(page(renderReport(folder)).cells("Results")).toEqual([
      ["sstoken", "4", "3.0000", "1.5000", "20.09", "4.48", "0.0 %", "75.0 %"],
      ["full", "4", "3.0000", "1.7500", "20.09", "5.75", "0.0 %", "50.0 %"],
      ["random", "4", "3.0000", "2.0000", "20.09", "7.39", "0.0 %", "50.0 %"],
    ]);
  });

  test("compares the main arm with each other one, and names no winner", () => {
    folder = writeRun();
    const { cells, text } = page(renderReport(folder));
    const [full, random] = cells("Results", 1);
    expect(full![0]).toBe("sstoken − full");
    expect(full![1]).toBe("−0.2500");
    expect(full![2]).toBe("−0.5000 to 0.0000"); // all four draws from the two differing rows, or none
    expect(full![4]).toBe("+25.0");
    expect(random!.slice(0, 3)).toEqual(["sstoken − random", "−0.5000", "−0.5000 to −0.5000"]);
    expect(text).toContain("this run cannot name a winner");
    expect(text).not.toMatch(/\b(wins|best|outperforms|significant)/);
  });

  test("shows answers before and after training, changed verdicts first, and marks what differs", () => {
    folder = emptyFolder();
    writeArm(folder, { method: "sstoken", before: [3, 3, 3], after: [1, 1, 1] });
    const answer = (row: number, answer: string, correct: number) => ({
      ...{ row, answer, correct },
      ...{ prompt: `How many ${evil}?`, reference: "It is 12 in all" },
    });
    const log = readFileSync(join(folder, "evaluation.jsonl"), "utf8").trimEnd().split("\n");
    const answers = [
      [answer(0, "It is 3 in all", 0), answer(5, "It is 4", 0), answer(7, "It is 12 in all", 1)],
      [answer(0, "It is 12 in all", 1), answer(5, "It is 4", 0), answer(7, `It is ${evil}`, 0)],
    ];
    const told = log.map((line, i) => ({ ...(JSON.parse(line) as object), answers: answers[i] }));
    writeFileSync(join(folder, "evaluation.jsonl"), lines(told));
    const markup = renderReport(folder);
    expectEscaped(markup);
    const shown = [...page(markup).section("Answers")!.querySelectorAll("article")];
    expect(shown.map((part) => flat(part.querySelector("h3")?.textContent))).toEqual(["Row 0", "Row 7", "Row 5"]);
    expect([...shown[0]!.querySelectorAll("dt")].map(({ textContent }) => textContent)).toEqual([
      ...["Reference", "Before: wrong", "After: right"],
    ]);
    expect([...shown[0]!.querySelectorAll("mark")].map(({ textContent }) => textContent)).toEqual(["3 ", "12 "]);
    expect(shown[2]!.querySelectorAll("mark")).toHaveLength(0);
  });

  test("has a held-out point for each evaluation, and answers and results of those that have them", () => {
    folder = emptyFolder();
    writeArm(folder, { method: "sstoken", before: [3, 3], after: [1, 1], correct: [[0, 0], [1, 0]] }); // prettier-ignore
    const log = readFileSync(join(folder, "evaluation.jsonl"), "utf8").trimEnd().split("\n");
    const [start, end] = log.map((line) => JSON.parse(line) as Record<string, unknown>);
    const answers = [{ row: 0, prompt: "How many?", reference: "2", answer: "2", correct: 1 }];
    const told = [
      { ...start, answers },
      { ...end, answers },
    ] as const;
    const losses = { ...end, measured: "losses", exactMatch: undefined, rowCorrect: undefined };
    const at = (step: number) => ({ ...losses, step, loss: 2 });
    const points = () => {
      const { section } = page(renderReport(folder));
      const held = [...section("Loss")!.querySelectorAll("svg")].find((svg) =>
        svg.getAttribute("aria-label")?.startsWith("Held-out loss"),
      );
      return [held?.querySelectorAll("circle").length, flat(section("Answers")?.querySelector("p")?.textContent)];
    };
    const evaluations = [told[0], at(1), at(2), told[1]];
    writeFileSync(join(folder, "evaluation.jsonl"), lines(evaluations));
    expect(points()).toEqual([4, expect.stringContaining("after step 4,")]);
    // of a model that was saved as it was at step 2, measured whole behind the last one
    const saved = { ...told[1], step: 2, loss: 2, exactMatch: 0.75 };
    writeFileSync(join(folder, "evaluation.jsonl"), lines([told[0], at(2), { ...losses, loss: 1 }, saved]));
    writeFileSync(join(folder, "summary.json"), JSON.stringify({ method: "sstoken", steps: 4, savedStep: 2 }));
    expect(points()).toEqual([3, expect.stringContaining("after step 2,")]);
    expect(page(renderReport(folder)).cells("Results")[0]).toEqual(expect.arrayContaining(["2.0000", "75.0 %"]));
  });

  test("puts noise found beside what random expects", () => {
    folder = writeRun();
    // 40 tokens, 16 dropped, 8 noise, 4 of it dropped: precision 4/16, random 8/40; recall 4/8, random 16/40
    expect(page(renderReport(folder)).cells("Dropped tokens and labelled noise")).toEqual([
      ["sstoken", "40", "16", "8", "4", "25.0 %", "20.0 %", "50.0 %", "40.0 %"],
      ["full", "40", "0", "8", "0", "–", "20.0 %", "0.0 %", "0.0 %"],
      ["random", "40", "16", "8", "4", "25.0 %", "20.0 %", "50.0 %", "40.0 %"],
    ]);
  });

  test("draws losses, shares, REL and tokens, each section with a sentence on how to read it", () => {
    folder = writeRun();
    const { document, section } = page(renderReport(folder));
    expect(
      ["Loss", "Kept tokens", "REL"].map((title) => section(title)?.querySelectorAll("figure > svg").length),
    ).toEqual([4, 2, 2]);
    expect(section("Tokens")?.querySelectorAll("figure.row .tokens > span").length).toBe(5);
    for (const part of document.querySelectorAll("section"))
      expect(flat(part.querySelector("p")?.textContent)).not.toBe("");
  });

  test("asks for nothing from elsewhere and runs nothing", () => {
    folder = writeRun();
    expectSelfContained(renderReport(folder, { command: "npx tsx trainers/sstoken.ts" }));
  });

  test("nests its elements properly", () => {
    folder = writeRun();
    expectNested(renderReport(folder));
  });

  test("names the command where it is told", () => {
    folder = writeRun();
    const { facts } = page(renderReport(folder, { command: evil }));
    expect(facts().at(-1)).toBe(`Command ${evil.replace("\u202e", "⟨U+202E⟩")}`);
  });
});

describe("a report of hostile files", () => {
  test("shows what stands in them as text", () => {
    folder = writeRun();
    const row = { ...tokenRow(), pieces: tokenRow().pieces.map(() => evil), scoreName: evil };
    writeFileSync(join(folder, "tokens.json"), JSON.stringify({ step: 4, rows: [row] }));
    writeFileSync(
      join(folder, "summary.json"),
      JSON.stringify({ method: evil, name: evil, engine: evil, warnings: [evil] }),
    );
    writeFileSync(
      join(folder, "config.yaml"),
      `${config}model2: ${JSON.stringify(evil)}\n`.replace("/models/tiny", JSON.stringify(evil)),
    );
    expectEscaped(renderReport(folder));
  });

  test.each([
    [{ rows: "worst", among: 128 }, "Of the first 128 rows that are trained these have the highest loss per response"],
    [{ rows: "best", among: 128 }, "these have the lowest loss per response token, the lowest first."],
    [{ rows: "changed", among: 128 }, "these are those whose loss per response token has changed most"],
    [{ rows: "listed" }, "They are those that the configuration names."],
    [{ rows: evil, among: evil }, "under the model after step 4. Underscored"],
  ])("says of rows that are %o how they were chosen, and their losses", (chosen, sentence) => {
    folder = writeRun();
    const rows = [
      { ...tokenRow(), loss: 1.25, lossBefore: 2 },
      { ...tokenRow(), loss: evil, lossBefore: {} },
    ];
    writeFileSync(join(folder, "tokens.json"), JSON.stringify({ step: 4, chosen, rows }));
    const section = page(renderReport(folder)).section("Tokens")!;
    expect(flat(section.textContent)).toContain(sentence);
    const losses = [...section.querySelectorAll("figure.row .about")].map(({ textContent }) => textContent);
    expect(losses).toEqual(["loss 1.25 nats per token, 2 before training"]);
  });

  test("stays small, however much they hold", () => {
    folder = writeRun();
    const n = 5000;
    const many = <T>(value: T) => new Array<T>(n).fill(value);
    const row = {
      rowId: 1,
      pieces: many("\u0000".repeat(1000)),
      response: many(1),
      weights: many(0),
      score: many(0.5),
    };
    writeFileSync(
      join(folder, "tokens.json"),
      JSON.stringify({ step: 4, rows: [row, ...many(tokenRow()).slice(0, 50)] }),
    );
    const steps = Array.from({ length: 20_000 }, (_, i) => ({
      step: i + 1,
      lossAllTokens: 1 / (i + 1),
      loss: 1,
      keptShare: 0.6,
    }));
    writeFileSync(join(folder, "metrics.jsonl"), lines(steps));
    const markup = renderReport(folder);
    expect(markup.length).toBeLessThan(1_500_000);
    expect(flat(page(markup).section("Tokens")?.textContent)).toContain("rows are left out");
  });
});

describe("a report of a run with pieces missing", () => {
  test("needs no more than empty metrics", () => {
    folder = emptyFolder();
    writeFileSync(join(folder, "metrics.jsonl"), "");
    const { text, section, document } = page(renderReport(folder));
    expect(text).toContain("This run has no evaluation");
    expect(text).toContain("ran no step.");
    expect(section("Loss") ?? section("Tokens") ?? section("REL")).toBeUndefined();
    expect(document.querySelector("aside")?.textContent).toContain("has not come to its end");
  });

  test("says which arms are missing and which were cut off", () => {
    folder = emptyFolder();
    writeArm(folder, { method: "sstoken", before: [3, 2], after: [1, 1] });
    writeArm(join(folder, "random"), { method: "random", steps: 2, before: [3, 2], summary: false });
    writeFileSync(join(folder, "config.yaml"), config);
    const { document, cells } = page(renderReport(folder));
    const warnings = [...document.querySelectorAll("aside li")].map((item) => flat(item.textContent));
    expect(warnings).toEqual([
      "random has not come to its end; what is shown is as of step 2 of 4.",
      "full: the configuration names this arm, but it has no results here (not run yet?).",
    ]);
    expect(cells("Results")[1]).toEqual(["random", "–", "2.5000", "–", "12.18", "–"]);
    expect(cells("Results", 1)).toEqual([["sstoken − random", "no step at which both evaluated the same rows"]]);
  });

  test("shows numbers that are none as a dash", () => {
    folder = emptyFolder();
    writeArm(folder, { method: "full", metrics: { loss: null, lossAllTokens: null } });
    writeFileSync(
      join(folder, "evaluation.jsonl"),
      lines([
        { step: 0, loss: null, rowIds: [] },
        { step: 4, loss: 1 },
      ]),
    );
    const markup = renderReport(folder);
    expect(page(markup).cells("Results")).toEqual([["full", "4", "–", "1.0000", "–", "2.72"]]);
    expect(/NaN|undefined/.exec(markup)).toBeNull();
  });

  test("writes nothing where there is no run", () => {
    folder = emptyFolder();
    expect(() => writeReport(folder)).toThrow(userError("no-run", folder));
    expect(existsSync(join(folder, "report.html"))).toBe(false);
  });
});
