import { expect, test } from "@jest/globals";
import { mkdirSync, readdirSync } from "node:fs";
import { listEngines } from "../../src/tensor/engine.ts";
import { temporaryFolder, tokensift } from "./run.ts";

const folder = temporaryFolder();

test("--json: machine, every engine with reason and fix where it cannot run, speed, packages", async () => {
  const { code, out, err } = await tokensift("doctor", "--json");
  expect([code, err]).toEqual([0, ""]);
  const found = JSON.parse(out) as Record<string, unknown>;
  expect(found).toMatchObject({
    node: process.versions.node,
    cores: expect.any(Number),
    engines: await listEngines(),
    engine: { provider: expect.any(String), threads: expect.any(Number), device: expect.any(String) },
    packages: { "@tensorflow/tfjs-core": expect.stringMatching(/^4\./), "apache-arrow": expect.stringMatching(/^\d/) },
  });
  expect(found["gigaflops"]).toBeGreaterThan(0);
  expect(found["gigabytesPerSecond"]).toBeGreaterThan(0);
});

test("as text: the same for people, and nothing is written in the current folder", async () => {
  mkdirSync(folder.path("empty"));
  const before = process.cwd();
  process.chdir(folder.path("empty"));
  try {
    const { code, out } = await tokensift("doctor");
    expect(code).toBe(0);
    expect(out).toContain(process.versions.node);
    expect(out).toContain("GFLOP/s in matrix products");
    expect(out).toContain("GB/s of memory");
    const text = out.replace(/\s+/g, " ");
    for (const engine of await listEngines()) {
      if (engine.available) {
        expect(text).toContain(`${engine.name} runs on the ${engine.gpu ? "GPU" : "CPU"} (${engine.device})`);
        expect(text).toContain(engine.warning ?? "");
        if (engine.name !== "cpu") expect(engine.warning === undefined).toBe(engine.gpu);
      } else expect(text).toContain(`does not run: ${engine.reason} ${engine.fix}`);
    }
  } finally {
    process.chdir(before);
  }
  expect(readdirSync(folder.path("empty"))).toEqual([]);
});
