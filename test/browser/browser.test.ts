import { describe, expect, test } from "@jest/globals";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { build } from "esbuild";

const entries = readdirSync(import.meta.dirname)
  .filter((file) => !file.endsWith(".test.ts"))
  .map((file) => file.replace(/\.ts$/, ""));

interface Probe {
  names: string[];
  numbers(): number[];
}

/** The entry with its whole graph as one script for browsers; esbuild refuses to bundle what only Node has. */
async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, `${entry}.ts`)],
    bundle: true,
    platform: "browser",
    format: "iife",
    globalName: "probe",
    target: "es2022",
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

describe("in a browser, bundled without anything of Node,", () => {
  test.each(entries)("tokensift/%s computes what it computes here", async (entry) => {
    const here = (await import(join(import.meta.dirname, `${entry}.ts`))) as Probe;
    const script = `${await bundle(entry)}; JSON.stringify([typeof process, probe.names, probe.numbers()])`;
    const there = JSON.parse(runInContext(script, createContext({})) as string) as unknown;
    const numbers = here.numbers();
    const asText: unknown = JSON.parse(JSON.stringify(numbers)); // which knows no -0
    expect(there).toEqual(["undefined", here.names, asText]);
    expect(numbers.every(Number.isFinite)).toBe(true);
    expect(new Set(numbers).size).toBeGreaterThan(6);
  });
});
