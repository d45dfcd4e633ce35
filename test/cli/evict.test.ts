import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { root, temporaryFolder, tokensift } from "./run.ts";
import { makeGates } from "./trained.ts";

const folder = temporaryFolder();
const data = folder.writeRows(
  "rows.jsonl",
  Array.from({ length: 6 }, (_, i) => {
    const question = `Sami has ${2 + i} bags with 3 ropes in each bag . How many ropes does Sami have now ?`;
    return { question, answer: `${2 + i} x 3 = ${6 + 3 * i} ropes . #### ${6 + 3 * i}` };
  }),
);

function evict(...argv: string[]) {
  const fixed = ["--model", join(root, "models/tiny"), "--engine", "cpu", "--threads", "1", "--data", data];
  return tokensift("evict", ...fixed, ...argv);
}

interface Written {
  about: { task: string; problems: { row?: number; rows?: number[] }[] };
  sentences: string[];
  rows: {
    cache: string;
    role: string;
    kept: number;
    nll: number;
    problems: { nll: number }[];
    againstRandom?: { difference: number; low: number; high: number };
    againstEach?: Record<string, { difference: number; low: number; high: number }>;
    trainings?: number[];
  }[];
}
const read = (out: string): Written => JSON.parse(readFileSync(join(out, "results.json"), "utf8")) as Written;

describe("evict", () => {
  test("compares scores and controls on text, and names the rows", async () => {
    const out = folder.path("text");
    const given = ["--task", "text", "--rows", "2", "--tokens", "40", "--following", "4", "--out", out];
    const { code, err, out: said } = await evict(...given, "--methods", "snap-kv:window=4,key-diff", "--keep", "1,.6");
    expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
    const { about, rows, sentences } = read(out);
    expect(about.problems.map(({ rows }) => rows)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    const names = ["random", "recent", "snap-kv window 4", "key-diff", "future"];
    expect(rows.map(({ cache }) => cache)).toEqual([
      "full",
      ...[1, 0.6].flatMap((keep) => names.map((n) => `${n} ${keep}`)),
    ]);
    for (const { nll, kept } of rows.slice(1, 6)) expect([nll, kept]).toEqual([rows[0]!.nll, 1]);
    for (const sentence of sentences) expect(said).toContain(sentence);
    const page = readFileSync(join(out, "report.html"), "utf8");
    for (const name of names.slice(0, 2)) expect(page).toContain(`${name} 0.6`);
    expect(page.match(/<svg/g)!.length).toBeGreaterThan(5);
    expect((await evict(...given)).code).toBe(2); // an earlier run's
  });

  test("judges answers, blind", async () => {
    const out = folder.path("task");
    const { code, err } = await evict(
      ...["--task", "task", "--rows", "2", "--blind", "--methods", "key-diff", "--keep", "1", "--sinks", "0"],
      ...["--window", "0", "--max-tokens", "4", "--seeds", "0,1", "--out", out],
    );
    expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
    const { about, rows } = read(out);
    expect(about.problems.map(({ row }) => row)).toEqual([0, 1]);
    expect(rows.map(({ cache }) => cache)).toEqual(["full", "random 1", "recent 1", "key-diff 1", "future 1"]);
    expect(rows[0]).toMatchObject({ correct: rows[1]!["correct" as "kept"], kept: 1 });
  });

  test("compares gates of several trainings as one cache, with an interval over them as well", async () => {
    const path = join(root, "models/tiny");
    const make = (seed: string, window = 2) =>
      makeGates(folder.path(seed), { sinks: 1, window, ratio: 0.5 }, { seed, path });
    const [one, two, other] = [await make("one"), await make("two"), await make("other", 3)];
    const given = ["--task", "text", "--rows", "2", "--tokens", "40", "--following", "4", "--methods", "key-diff"];
    const measure = async (name: string, ...gates: string[]) => {
      const out = folder.path(name);
      const flags = [...given, "--keep", ".4", ...gates.flatMap((each) => ["--gates", each]), "--out", out];
      const { code, err } = await evict(...flags);
      expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
      const { rows, sentences } = read(out);
      return { gates: rows.find(({ role }) => role === "gates")!, sentences };
    };
    const both = await measure("both", one, two);
    const each = [await measure("first", one), await measure("second", two)];
    const nlls = each.map(({ gates }) => gates.nll);
    expect(nlls[0]).not.toBe(nlls[1]);
    expect(both.gates.trainings!).toEqual(nlls);
    expect(both.gates.nll).toBeCloseTo((nlls[0]! + nlls[1]!) / 2, 12);
    expect(Object.keys(both.gates.againstEach!)).toEqual(["random", "recent", "key-diff", "future"]);
    expect(both.gates.againstEach!["random"]).toEqual(both.gates.againstRandom);
    expect(both.sentences.at(-1)).toContain("the gates' over their 2 trainings as well");
    expect(each[0]!.gates.trainings).toBeUndefined();
    const { code, err } = await evict(...given, "--gates", one, "--gates", other, "--out", folder.path("mixed"));
    expect([code, err]).toEqual([2, expect.stringContaining("decide otherwise")]);
  });

  const refused: [string, string[], string][] = [
    ["a task that there is not", ["--task", "neelde"], "Did you mean needle?"],
    ["--blind of a text", ["--task", "text", "--blind"], "--blind"],
    ["--following of a needle", ["--task", "needle", "--following", "3"], "--following"],
    ["--tokens of a task", ["--task", "task", "--tokens", "99"], "--tokens"],
    ["a share above 1", ["--task", "text", "--keep", ".5,2"], "--keep is 2"],
    ["a share twice", ["--task", "text", "--keep", ".5,0.5"], "--keep"],
    ["an unknown score, with the nearest name", ["--task", "text", "--methods", "key-dif"], "Did you mean key-diff?"],
    ["an option that a score does not have", ["--task", "text", "--methods", "snap-kv:windw=4"], "windw"],
    ["an option without a value", ["--task", "text", "--methods", "snap-kv:window"], "OPTION=VALUE"],
    ["seeds that are no numbers", ["--task", "text", "--seeds", "0,a"], "--seeds"],
    ["gates twice", ["--task", "text", "--gates", "a", "--gates", "a"], "--gates names a twice"],
    ["gates that are not there", ["--task", "text", "--gates", "nowhere"], "nowhere"],
  ];
  test.each(refused)("refuses %s", async (_name, argv, said) => {
    const out = folder.path("never");
    const { code, out: text, err } = await evict(...argv, "--out", out);
    expect([code, text]).toEqual([2, ""]);
    expect(err).toContain(said);
    expect(existsSync(out)).toBe(false);
  });
});
