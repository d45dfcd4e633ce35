import { describe, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeNumbers } from "../../src/cli/trial-numbers.ts";
import { userError } from "../user-error.ts";
import { root, temporaryFolder, tokensift } from "./run.ts";

const folder = temporaryFolder();
const data = folder.writeRows(
  "rows.jsonl",
  Array.from({ length: 40 }, (_, i) => {
    const [a, b] = [1 + (i % 7), 2 + (i % 5)];
    const question = `Sami has ${a} bags with ${b} ropes in each bag . How many ropes does Sami have now ?`;
    return { question, answer: `${a} x ${b} = ${a * b} ropes . #### ${a * b}`, wrong: i % 3 === 0 };
  }),
);
const linked = folder.path("linked.jsonl");
symlinkSync(data, linked);

const other = folder.writeRows(
  "other.jsonl",
  Array.from({ length: 8 }, (_, i) => ({ question: `What is ${i + 1} x 6 ?`, answer: `#### ${6 * (i + 1)}` })),
);
const fixed = ["--model", join(root, "models/tiny"), "--engine", "cpu", "--threads", "1", "--data", data];

function trial(...argv: string[]) {
  return tokensift("trial", ...fixed, ...argv);
}

describe("trial", () => {
  test("judges planted errors under every rule, and says so first", async () => {
    const out = folder.path("trial.json");
    const short = ["--steps", "2", "--batch-size", "4", "--share", "1", "--out", out];
    const { code, out: text, err } = await trial(...short);
    expect([code, code === 0 ? "" : err]).toEqual([0, ""]);
    expect(text).toMatch(/^This trial judges errors that it has planted itself, not those of your own data\.\n/);
    const written = JSON.parse(readFileSync(out, "utf8")) as {
      about: { ratio: number; wrong: { wrong: number } };
      recommended?: string;
      selection?: object;
      arms: { name: string; selection: object; loss: number; detection: { recall: { value: number } } }[];
      effects: { name: string }[];
    };
    expect(written.about.wrong.wrong).toBeGreaterThan(0);
    const names = ["full", "random", "sstoken", "sstoken, order: lowest", "small-loss", "oracle"];
    expect(written.arms.map(({ name }) => name)).toEqual(names);
    for (const name of names) expect(text).toContain(name);
    expect(written.effects.map(({ name }) => name)).toEqual(names.slice(2, 5));
    const recallOf = (arm: number): number => written.arms[arm]!.detection.recall.value;
    expect([recallOf(0), recallOf(5)]).toEqual([0, 1]);
    expect(text).toMatch(/(Recommended: .*\n\n.*:\n\nselection:\n(  .*\n)+|No rule helps here\.\n)$/);
    const shared = { ratio: written.about.ratio, keepEndOfTurn: true };
    expect(written.arms[4]!.selection).toEqual({ method: "small-loss", ...shared });
    expect(written.arms[5]).not.toHaveProperty("selection"); // the oracle's column is not in the data
    const recommended = written.arms.find(({ name }) => name === written.recommended);
    expect(written.selection).toEqual(recommended?.selection);
    expect(text).toContain(` ratio ${written.about.ratio};`);
    expect((await trial(...short)).code).toBe(2); // the file exists
    expect(readdirSync(dirname(out)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("names the flag of a rate at which numbers leave their range", async () => {
    const { code, err } = await trial("--steps", "4", "--batch-size", "2", "--learning-rate", "1e30", "--share", "1");
    expect([code, err]).toEqual([2, expect.stringContaining("Lower --learning-rate (1e+30)")]);
    expect(err).not.toMatch(/training\.[a-z]/);
  });

  test("writes its file where the disk takes it, and else says which and what to do", () => {
    const file = folder.write("a-file", "");
    expect(() => writeNumbers(join(file, "out.json"), {})).toThrow(userError("not-writable", /a-file.*\n.*--out/));
  });

  const closed = "/dev/full";
  (existsSync(closed) ? test : test.skip)("keeps its file where standard output is full", () => {
    const [output, out] = [openSync(closed, "w"), folder.path("kept.json")];
    const program = join(process.env["TOKENSIFT_PROGRAMS"]!, "src/cli/main.js");
    const short = ["--steps", "1", "--batch-size", "2", "--share", "1", "--rows", "12", "--held-out", other];
    const { status, stderr } = spawnSync(process.execPath, [program, "trial", ...fixed, ...short, "--out", out], {
      stdio: ["ignore", output, "pipe"],
    });
    closeSync(output);
    expect([status, String(stderr)]).toEqual([0, expect.stringContaining(`the numbers are in ${out}`)]);
    expect(JSON.parse(readFileSync(out, "utf8"))).toHaveProperty("effects");
  });

  const refused: [string, string[], string][] = [
    ["an unknown kind, with the nearest name", ["--kinds", "numbres"], "Did you mean numbers?"],
    ["an unknown column, with the nearest name", ["--labels", "wrnog"], "Did you mean wrong?"],
    ["kinds beside labels", ["--labels", "wrong", "--kinds", "cut"], "--kinds"],
    ["a share above 1", ["--share", "2"], "--share"],
    ["labels that cannot be read", ["--labels", "answer"], "line 1"],
    ["too few rows", ["--rows", "4"], "--rows"],
    ["rows that are all too long", ["--max-tokens", "8"], "40 rows have more than 8 tokens (--max-tokens)"],
    ["the file to train as held-out rows", ["--held-out", data], "--held-out is the file of --data"],
    ["the same through a link", ["--held-out", linked], "--held-out is the file of --data"],
  ];
  test.each(refused)("refuses %s, before anything is trained", async (_name, argv, said) => {
    const { code, out, err } = await trial(...argv, "--out", folder.path("never.json"));
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain(said);
    expect(existsSync(folder.path("never.json"))).toBe(false);
  });
});
