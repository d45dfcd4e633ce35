import { expect, test } from "@jest/globals";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { adapterFixture } from "../model/adapters/adapters.ts";
import { root, referenceRows, temporaryFolder, tied } from "./run.ts";

const folder = temporaryFolder();
const program = join(process.env["TOKENSIFT_PROGRAMS"]!, "src/cli/main.js");

function start(...argv: string[]): { child: ChildProcess; ended: Promise<{ code: number | null; err: string }> } {
  const child = spawn(process.execPath, [program, ...argv], { cwd: root });
  let err = "";
  child.stderr.on("data", (text) => (err += String(text)));
  const ended = new Promise<{ code: number | null; err: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, err })),
  );
  return { child, ended };
}

test("the process ends by itself, with the result in its file and nothing on standard output", async () => {
  const data = folder.writeRows("data.jsonl", referenceRows);
  const out = folder.path("out.jsonl");
  const { child, ended } = start("score", "--model", tied, "--data", data, "--out", out);
  let printed = "";
  child.stdout!.on("data", (text) => (printed += String(text)));
  expect(await ended).toMatchObject({ code: 0, err: expect.stringContaining("4 rows, 28 tokens") });
  expect(printed).toBe("");
  expect(readFileSync(out, "utf8").trimEnd().split("\n")).toHaveLength(4);
});

test("Ctrl-C in the middle leaves no file, whole or half", async () => {
  const rows = Array.from({ length: 1000 }, () => referenceRows).flat();
  const data = folder.writeRows("many.jsonl", rows);
  mkdirSync(folder.path("stopped"));
  const out = folder.path("stopped/out.arrow");
  const { child, ended } = start("score", "--model", tied, "--data", data, "--out", out, "--batch-size", "1");
  let asked = false; // a second time would end the process at once
  child.stderr!.on("data", (text) => {
    if (!asked && String(text).includes("scoring")) asked = child.kill("SIGINT");
  });
  expect(await ended).toMatchObject({ code: 130, err: expect.stringContaining("stopped by SIGINT") });
  expect(readdirSync(folder.path("stopped"))).toEqual([]);
});

test("Ctrl-C in the middle of a conversion leaves the file that was there, and no other", async () => {
  const rows = Array.from({ length: 30_000 }, () => ({ prompt: "w1 w2 w3 ", response: "w4" }));
  const data = folder.writeRows("long.jsonl", rows);
  mkdirSync(folder.path("kept"));
  const out = folder.write("kept/out.jsonl", "mine");
  const { child, ended } = start("data", "convert", data, "--model", tied, "--out", out, "--overwrite");
  const watch = setInterval(() => {
    if (readdirSync(folder.path("kept")).length === 1) return;
    clearInterval(watch); // a second signal would end the process at once
    child.kill("SIGINT");
  }, 5);
  const { code, err } = await ended;
  clearInterval(watch);
  expect([code, err]).toEqual([130, expect.stringContaining("stopped by SIGINT: no file was written")]);
  expect(readdirSync(folder.path("kept"))).toEqual(["out.jsonl"]);
  expect(readFileSync(out, "utf8")).toBe("mine");
});

test.each([
  ["explain", "sstoken"],
  ["inspect", "--data", "datasets/word-problems/validation.arrow"],
])("a reader that stops reading is no error: %s", async (...argv) => {
  const { child, ended } = start(...argv);
  child.stdout!.destroy();
  expect(await ended).toEqual({ code: 0, err: "" });
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("a merge that %s stops says so and leaves no folder", async (signal, code) => {
  const place = folder.path(`merged-${signal}`);
  mkdirSync(place);
  const argv = ["--engine", "cpu", "--threads", "1", "--model", tied, "--adapter", adapterFixture("tied")];
  const { child, ended } = start("merge", ...argv, "--out", `${place}/out`);
  let asked = false;
  child.stderr!.on("data", (text) => {
    if (!asked && String(text).includes("engine:")) asked = child.kill(signal);
  });
  expect(await ended).toMatchObject({
    code,
    err: expect.stringContaining(`stopped by ${signal}: no file was written`),
  });
  expect(readdirSync(place)).toEqual([]);
});

test("a merge that the system refuses to write says which folder and what to do, and leaves none", async () => {
  const place = folder.path("too-large");
  mkdirSync(place);
  const argv = ["merge", "--engine", "cpu", "--threads", "1", "--model", tied, "--adapter", adapterFixture("tied")];
  const limited = ["-c", 'ulimit -f 4; exec "$0" "$@"', process.execPath, program, ...argv, "--out", `${place}/out`];
  const { status, stderr } = spawnSync("bash", limited, { cwd: root, encoding: "utf8" });
  expect([status, stderr]).toEqual([2, expect.stringMatching(/out: cannot be written: .*EFBIG[^]*ulimit -f/)]);
  expect(readdirSync(place)).toEqual([]);
});

const full = "/dev/full";
(existsSync(full) ? test : test.skip)("a full standard output is told in one line", () => {
  const output = openSync(full, "w");
  try {
    const { status, stderr } = spawnSync(process.execPath, [program, "--help"], { stdio: ["ignore", output, "pipe"] });
    expect([status, String(stderr)]).toEqual([2, expect.stringMatching(/^tokensift: standard output .*ENOSPC.*\n$/)]);
  } finally {
    closeSync(output);
  }
});

test("a module in TypeScript is read where Node reads such, and else the command that reads it is named", async () => {
  const module = folder.write(
    "rule.ts",
    'import { full } from "tokensift/selection";\nexport const rule: unknown = full();\n',
  );
  const { code, err } = await start("explain", module).ended;
  if (Reflect.get(process.features, "typescript")) expect(err).not.toContain("cannot run TypeScript");
  else expect([code, err]).toEqual([2, expect.stringContaining("npx tsx node_modules/.bin/tokensift")]);
});
