import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { linesOf, programOf, writeRecipe } from "../small-run.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tokensift-terminal-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const short = ["training.steps=2", "compare=[]", "evaluation.generate=false", "evaluation.samples=0", "data.limit=16"];

// /dev/full answers every write as a full disk does
(existsSync("/dev/full") ? describe : describe.skip)("a training", () => {
  test("goes on to its end where nobody reads standard error, standard output is full and the terminal goes", async () => {
    const config = writeRecipe(folder);
    const flags = short.flatMap((setting) => ["--set", setting]);
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [...programOf("sstoken"), "--config", config, ...flags], {
      stdio: ["ignore", full, "pipe"],
    });
    closeSync(full);
    child.stderr!.destroy();
    const ended = once(child, "close");
    const output = join(folder, "out");
    while (child.exitCode === null && linesOf(join(output, "metrics.jsonl")) === 0) await sleep(5);
    child.kill("SIGHUP");
    expect(await ended).toEqual([0, null]);
    expect(linesOf(join(output, "metrics.jsonl"))).toBe(2);
    const said = readFileSync(join(output, "terminal.log"), "utf8");
    for (const part of [/standard error .*EPIPE/, /SIGHUP/, /standard output .*ENOSPC/, /The run is in /])
      expect(said).toMatch(part);
  }, 120_000);
});
