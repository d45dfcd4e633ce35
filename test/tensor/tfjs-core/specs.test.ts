import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { build } from "esbuild";
import { execFile } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { SpecReport } from "./run-specs.ts";
import { switchedOff, unspecified } from "./switched-off.ts";

const here = import.meta.dirname;
/** Below node_modules, so that packages with native parts are found from there. */
const bundle = join(here, `../../../node_modules/.cache/tokensift/tfjs-core-specs-${process.pid}.mjs`);

beforeAll(async () => {
  await build({
    entryPoints: [join(here, "run-specs.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "esm",
    mainFields: ["module", "main"],
    ignoreAnnotations: true, // the specs are said to have no side effects
    external: ["jasmine-core", "koffi", "onnxruntime-node"],
    banner: {
      js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
    },
  });
});
afterAll(() => rmSync(bundle, { force: true }));

async function runSpecs(matmul: string, names?: readonly string[]): Promise<SpecReport> {
  const list = `${bundle}.json`;
  if (names) writeFileSync(list, JSON.stringify(names));
  const args = [bundle, matmul, ...(names ? [list] : [])];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  rmSync(list, { force: true });
  return JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as SpecReport;
}

describe("TensorFlow.js' own specs on the cpu engine", () => {
  let report: SpecReport;
  let withWasm: SpecReport;
  beforeAll(async () => {
    report = await runSpecs("onnxruntime");
    withWasm = await runSpecs("wasm", report.withProducts);
  }, 120_000);

  test("pass, but for those that are switched off", () => {
    expect(report.provider).toMatch(/^onnxruntime/);
    expect(report.failed).toEqual([]);
    expect(report.passed).toBeGreaterThan(4200);
    expect(report.pending).toEqual(Object.keys(switchedOff));
  });

  test("call every kernel of TensorFlow.js, and reach every faster form of ours", () => {
    expect(report.untested.filter((name) => !name.startsWith("Tokensift"))).toEqual(Object.keys(unspecified));
    expect(report.untestedFast).toEqual([]);
  });

  test("pass with products by WebAssembly, as far as a product is in them", () => {
    expect(withWasm.provider).toMatch(/^wasm/);
    expect(withWasm.failed).toEqual([]);
    expect(withWasm.passed).toBe(report.withProducts.length);
    expect(withWasm.withProducts).toEqual(report.withProducts);
    expect(withWasm.passed).toBeGreaterThan(100);
  });
});
