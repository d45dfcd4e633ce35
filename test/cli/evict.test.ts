import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { root, temporaryFolder, tokensift } from "./run.ts";

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
  rows: { cache: string; role: string; kept: number; nll: number; problems: object[]; againstRandom?: object }[];
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
