import { beforeAll, expect, test } from "@jest/globals";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { bundledProgram } from "../program.ts";
import { root, referenceRows, temporaryFolder, tied } from "./run.ts";

const folder = temporaryFolder();
let program: string;
beforeAll(async () => {
  program = await bundledProgram({ file: "src/cli/main.ts" });
});

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

test("a reader that stops reading is no error", async () => {
  const { child, ended } = start("explain", "sstoken");
  child.stdout!.destroy();
  expect(await ended).toEqual({ code: 0, err: "" });
});
