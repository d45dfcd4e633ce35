import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { openArrow } from "../../src/data/arrow/read.ts";
import { root, temporaryFolder, tokensift } from "./run.ts";

const folder = temporaryFolder();
/** Adds where it should multiply: to `models/tiny-habit` the wrong sign is likelier than the right one. */
const pairs = folder.writeRows(
  "pairs.jsonl",
  [
    [6, 6],
    [4, 9],
  ].map(([bags, ropes]) => {
    const text = (sign: string, result: number): string =>
      `${bags} ${sign} ${ropes} = ${result} ropes . #### ${result}`;
    return {
      question: `Sami has ${bags} bags with ${ropes} ropes in each bag . How many ropes does Sami have now ?`,
      chosen: text("x", bags! * ropes!),
      rejected: text("+", bags! + ropes!),
      wrong: [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    };
  }),
);
const questions = join(root, "datasets/word-problems/validation.arrow");

function critical(...argv: string[]) {
  const fixed = ["--model", join(root, "models/tiny-habit"), "--engine", "cpu", "--threads", "1", "--max-tokens", "40"];
  return tokensift("critical", ...fixed, ...argv);
}

interface Mean {
  value: number;
}
interface Written {
  counts: Record<string, number>;
  sentences: string[];
  recovery: { k: number[]; passAtK: Record<"with" | "free" | "without", Mean[]> };
  agreements: {
    name: string;
    agreement: { areaUnderCurve: Mean; highest: Mean; gain?: { areaUnderCurve: Mean; highest: Mean } };
  }[];
  answers: {
    row: number;
    sample: number;
    tokens: number;
    critical?: { place: number; token: string; probability: number; estimate?: number };
  }[];
}
const read = (out: string): Written => JSON.parse(readFileSync(join(out, "results.json"), "utf8")) as Written;
const bytes = (out: string, name: string): string => readFileSync(join(out, name), "base64");
const countsOf = (out: string): string[] =>
  readFileSync(join(out, "records.jsonl"), "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.replace(/"of":"\w+",?/, ""))
    .sort();

describe("critical finds a planted error that the model finds likely", () => {
  const out = folder.path("planted");
  const given = ["--data", pairs, "--answers", "data", "--weights", "wrong", "--rollouts", "16"];
  const contrast = ["--positive", join(root, "models/tiny"), "--negative", join(root, "models/tiny-habit")];
  let said: Awaited<ReturnType<typeof critical>>;
  beforeAll(async () => {
    said = await critical(...given, ...contrast, "--out", out);
  });

  test("in every answer: the sign, of more than even probability", () => {
    expect([said.code, said.code === 0 ? "" : said.err]).toEqual([0, ""]);
    const { answers, counts } = read(out);
    expect(answers.map(({ critical }) => [critical?.place, critical?.token.trim()])).toEqual([
      [1, "+"],
      [1, "+"],
    ]);
    for (const { critical } of answers) expect(critical!.probability).toBeGreaterThan(0.5);
    expect(counts).toMatchObject({ answers: 2, right: 0, wrong: 2, searched: 2, found: 2, decisive: 2 });
  });

  test("and right answers once it must not come next, none where it stays", () => {
    const { recovery } = read(out);
    expect(recovery.k).toEqual([1, 2, 4, 8, 16]);
    expect(recovery.passAtK.with.map(({ value }) => value)).toEqual([0, 0, 0, 0, 0]);
    const [free, without] = [recovery.passAtK.free[0]!.value, recovery.passAtK.without[0]!.value];
    expect(free).toBeGreaterThan(0);
    expect(without).toBeGreaterThan(free + 0.2); // a half of what is drawn is the sign, and more
    expect(recovery.passAtK.without[4]!.value).toBe(1);
  });

  test("which the contrast and the column point at, and the model's own probability does not", () => {
    const { agreements } = read(out);
    const of = (start: string) => agreements.find(({ name }) => name.startsWith(start))!.agreement;
    expect(of("1 - s")).toMatchObject({ areaUnderCurve: { value: 1 }, highest: { value: 1 } });
    expect(of("the column wrong")).toMatchObject({ areaUnderCurve: { value: 1 }, highest: { value: 1 } });
    expect(of("first difference")).toMatchObject({ areaUnderCurve: { value: 1 }, highest: { value: 1 } });
    const base = of("1 - p");
    expect(base.gain).toBeUndefined();
    expect(of("1 - s").gain!.areaUnderCurve.value).toBeCloseTo(1 - base.areaUnderCurve.value, 12);
    expect(base.areaUnderCurve.value).toBeLessThan(1);
  });

  test("and says so on the terminal, on one page without scripts, and in answers.arrow", () => {
    const { sentences } = read(out);
    for (const sentence of sentences) expect(said.out).toContain(sentence);
    expect(readFileSync(join(out, "table.txt"), "utf8")).toBe(said.out);
    const page = readFileSync(join(out, "report.html"), "utf8");
    expect(page.match(/<u>[^<]*\+[^<]*<\/u>/g)).toHaveLength(4); // two answers, by continuations and by the contrast
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
    const table = openArrow(join(out, "answers.arrow"));
    const row = table.row(0, [
      "question",
      "verdict",
      "response_ids",
      "right_share",
      "critical",
      "log_prob",
      "log_estimate",
    ]);
    table.close();
    expect(row).toMatchObject({ question: 0, verdict: "wrong", critical: Uint8Array.of(0, 1, 0, 0, 0, 0, 0, 0, 0, 0) });
    expect([...(row["right_share"] as Float32Array)].slice(1)).toEqual([...Array.from({ length: 8 }, () => 0), NaN]);
    for (const name of ["log_prob", "log_estimate"]) expect(row[name]).toHaveLength(10);
  });

  test("whatever the batches are", async () => {
    const other = folder.path("planted-batches");
    expect((await critical(...given, "--rows", "1", "--batch-size", "24", "--out", other)).code).toBe(0);
    const first = countsOf(out).filter((line) => line.includes('"row":0'));
    expect(first).toHaveLength(9 + 3);
    expect(countsOf(other).filter((line) => line !== "")).toEqual(first);
  });

  test("in a row's own response, beside which stands the right answer", async () => {
    const other = folder.path("planted-response");
    const question = "Sami has 6 bags with 6 ropes in each bag . How many ropes does Sami have now ?";
    const row = { question, mine: "6 + 6 = 12 ropes . #### 12", answer: "36" };
    const data = folder.writeRows("responses.jsonl", [row, { ...row, mine: "6 x 6 = 36 ropes . #### 36" }]);
    const fields = ["--field", "prompt=question", "--field", "response=mine"];
    const source = ["--data", data, ...fields, "--answers", "data", "--rollouts", "8"];
    const { code, err } = await critical(...source, "--out", other);
    expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
    expect(read(other).counts).toMatchObject({ answers: 2, right: 1, wrong: 1, found: 1 });
    expect(read(other).answers.map(({ row, critical }) => [row, critical?.place])).toEqual([[0, 1]]);
  });

  test("only among the positions asked for", async () => {
    const other = folder.path("planted-positions");
    expect((await critical(...given, "--positions", "3-4", "--out", other)).code).toBe(0);
    expect(read(other).answers.map(({ critical }) => critical?.place)).toEqual([3, 3]);
    // two tokens of two answers, and three checks of each
    expect(countsOf(other).filter((line) => line !== "")).toHaveLength(10);
  });
});

describe("critical of the model's own answers", () => {
  const whole = folder.path("whole");
  const given = ["--data", questions, "--samples", "2", "--rollouts", "4", "--positions", "0-4"];

  test("draws, judges and searches wrong ones, one of a question", async () => {
    const { code, err } = await critical(...given, "--rows", "2", "--out", whole);
    expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
    const { counts, answers } = read(whole);
    expect(counts).toMatchObject({ answers: 4, questions: 2 });
    expect(new Set(answers.map(({ row }) => row)).size).toBe(answers.length);
    expect(answers.length).toBeGreaterThan(0);
  });

  test("goes on with --resume to the same bytes after it was killed, a torn line included", async () => {
    const lines = readFileSync(join(whole, "records.jsonl"), "utf8").split("\n");
    for (const kept of [4, Math.floor(lines.length / 2)]) {
      const out = folder.path(`killed-${kept}`);
      mkdirSync(out);
      writeFileSync(join(out, "records.jsonl"), `${lines.slice(0, kept).join("\n")}\n`);
      appendFileSync(join(out, "records.jsonl"), lines[kept]!.slice(0, 20));
      writeFileSync(join(out, "results.json.4711.tmp"), "{"); // killed while it wrote
      const { code, err } = await critical(...given, "--rows", "2", "--out", out, "--resume");
      expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
      for (const name of ["results.json", "table.txt", "report.html", "answers.arrow"])
        expect([name, bytes(out, name)]).toEqual([name, bytes(whole, name)]);
      expect(countsOf(out)).toEqual(countsOf(whole));
      expect(readdirSync(out).sort()).toEqual(readdirSync(whole).sort());
    }
  });

  test("goes on with more questions, and draws nothing anew that is there", async () => {
    const before = readFileSync(join(whole, "records.jsonl"), "utf8");
    expect((await critical(...given, "--rows", "3", "--out", whole, "--resume")).code).toBe(0);
    const after = readFileSync(join(whole, "records.jsonl"), "utf8");
    expect(after.startsWith(before)).toBe(true);
    expect(read(whole).counts["questions"]).toBe(3);
  });

  test("takes responses from a file, with the same draws", async () => {
    const out = folder.path("from-file");
    const file = join(whole, "answers.arrow");
    const source = ["--data", questions, "--answers", file, "--rollouts", "4", "--positions", "0-4"];
    const { code, err } = await critical(...source, "--out", out);
    expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
    expect(read(out).answers).toEqual(read(whole).answers);
  });

  test("refuses a folder of another run, and goes on with none that was drawn otherwise", async () => {
    const again = await critical(...given, "--out", whole);
    expect([again.code, again.err]).toEqual([2, expect.stringContaining("--resume")]);
    const other = await critical(...given, "--out", whole, "--resume", "--temperature", ".7");
    expect([other.code, other.err]).toEqual([2, expect.stringContaining("temperature: 1 then, 0.7 now")]);
    const both = await critical(...given, "--out", whole, "--resume", "--overwrite");
    expect([both.code, both.err]).toEqual([2, expect.stringContaining("--overwrite")]);
    const foreign = folder.path("foreign");
    mkdirSync(foreign);
    writeFileSync(join(foreign, "mine.txt"), "");
    const mine = await critical(...given, "--out", foreign, "--overwrite");
    expect([mine.code, mine.err]).toEqual([2, expect.stringContaining("mine.txt")]);
    const nothing = await critical(...given, "--out", folder.path("nothing"), "--resume");
    expect([nothing.code, nothing.err]).toEqual([2, expect.stringContaining("nothing")]);
  });
});

describe("critical refuses", () => {
  const from = ["--data", questions];
  const refused: [string, string[], string][] = [
    ["no data", [], "--data is missing"],
    ["another source of answers", [...from, "--answers", "model"], "--answers"],
    ["a file of answers that is not there", [...from, "--answers", "nowhere.arrow"], "nowhere.arrow"],
    ["samples of answers that are given", ["--data", pairs, "--answers", "data", "--samples", "2"], "--samples"],
    ["weights of sampled answers", [...from, "--weights", "wrong"], "--weights"],
    ["a column that there is not", ["--data", pairs, "--answers", "data", "--weights", "wrnog"], "wrnog"],
    ["one model of a contrast", [...from, "--positive", "somewhere"], "--negative is missing"],
    ["beta without a contrast", [...from, "--contrast", "2"], "--contrast"],
    ["a contrast that is not there", [...from, "--positive", "nowhere", "--negative", "nowhere"], "--positive nowhere"],
    ["temperature 0", [...from, "--temperature", "0"], "--temperature"],
    ["top-p above 1", [...from, "--top-p", "2"], "--top-p"],
    ["positions that end before they begin", [...from, "--positions", "9-3"], "--positions"],
    ["positions that are no range", [...from, "--positions", "all"], "--positions"],
    ["answers that are all right", [...from, "--answers", "data", "--rows", "3"], "no wrong answer"],
  ];
  test.each(refused)("%s", async (_name, argv, said) => {
    const out = folder.path("never");
    const { code, out: text, err } = await critical(...argv, "--out", out);
    expect([code, text]).toEqual([2, ""]);
    expect(err).toContain(said);
    expect(existsSync(out)).toBe(false);
  });
});
