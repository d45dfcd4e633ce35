import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { build } from "esbuild";
import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
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

async function runSpecs(matmul: string): Promise<SpecReport> {
  const { stdout } = await promisify(execFile)(process.execPath, [bundle, matmul], { maxBuffer: 2 ** 26 });
  return JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as SpecReport;
}

describe.each([
  ["onnxruntime", /^onnxruntime/],
  ["wasm", /^wasm/],
])("TensorFlow.js' own specs on the cpu engine, products by %s", (matmul, provider) => {
  let report: SpecReport;
  beforeAll(async () => {
    report = await runSpecs(matmul);
  }, 120_000);

  test("pass, but for those that are switched off", () => {
    expect(report.provider).toMatch(provider);
    expect(report.failed).toEqual([]);
    expect(report.passed).toBeGreaterThan(4200);
    expect(report.pending).toEqual(Object.keys(switchedOff));
  });

  test("call every kernel of TensorFlow.js, and reach every faster form of ours", () => {
    expect(report.untested.filter((name) => !name.startsWith("Tokensift"))).toEqual(Object.keys(unspecified));
    expect(report.untestedFast).toEqual([]);
  });
});
