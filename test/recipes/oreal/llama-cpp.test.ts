// LLAMA_PYTHON=V/bin/python npm test -- test/recipes/oreal/llama-cpp      where llama.cpp's server is:
//   python3 -m venv V && V/bin/pip install xllamacpp
import { afterAll, expect, test } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { runHere, startHere } from "../run-here.ts";
import { parseDecoderConfig } from "../../../src/model/config-file.ts";
import { createModel, saveModel } from "../../../src/model/model.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { loadTokenizer } from "../../../src/text/index.ts";
import { fixtures, tokensift } from "../../cli/run.ts";
import { linesOf } from "../small-run.ts";
import { orealResults, writeOreal } from "./small-run.ts";

const python = process.env["LLAMA_PYTHON"];
const asked = python === undefined ? test.skip : test;

const base = mkdtempSync(join(tmpdir(), "tokensift-llama-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const script = resolve(import.meta.dirname, "../../../scripts/llama-server.py");
const sizes = ["-c", "2048", "-np", "4", "-t", "1"];
const command = [
  python,
  script,
  "-m",
  "{model}",
  "--lora",
  "{adapter}",
  "--port",
  "{port}",
  "-a",
  "{policy}",
  ...sizes,
];

/** Random weights under a tokenizer that GGUF files have a name for. */
async function saveFresh(folder: string): Promise<void> {
  await useEngine("cpu", { threads: 1 });
  const tokenizer = loadTokenizer(join(fixtures, "text/bpe"));
  const sizes = { hidden_size: 64, intermediate_size: 128, num_hidden_layers: 2, num_attention_heads: 4 };
  const config = parseDecoderConfig(
    {
      ...{ model_type: "llama", vocab_size: tokenizer.vocabularySize, num_key_value_heads: 2, ...sizes },
      ...{ max_position_embeddings: 512, rms_norm_eps: 1e-5, rope_theta: 1e4, tie_word_embeddings: true },
      ...{ bos_token_id: tokenizer.endOfText![0], eos_token_id: [...tokenizer.endOfText!] },
    },
    "config.json",
  );
  const model = await createModel(config, tokenizer, { seed: 1 });
  await saveModel(model, folder, { card: "Random." });
  model.dispose();
  releaseEngine();
}

asked(
  "llama.cpp draws for the policy of each iteration; killed, it is started again, and nothing is lost",
  async () => {
    const gguf = join(base, "model.gguf");
    const model = join(base, "model");
    await saveFresh(model);
    const exported = await tokensift("export", "--model", model, "--gguf", "f32", "--out", gguf);
    expect([exported.code, exported.code === 0 ? "" : exported.err]).toEqual([0, ""]);
    const write = (name: string): string =>
      writeOreal(join(base, name), {
        data: { cache: join(base, "cache"), validationLimit: 1 },
        objective: {
          preset: "reinforce",
          rewards: "plus-minus-one",
          advantage: "none",
          keep: "none",
          weights: { source: "none" },
        },
        sampling: { server: { weights: "restart", command, gguf, concurrency: 4 } },
        training: { iterations: 2, policyFreeze: undefined, evaluateEvery: undefined, saveEvery: 1 },
        policy: { learningRate: 3e-2, adapter: { rank: 4 } },
        top: { model, rewardModel: undefined, compare: [] },
      });
    const config = write("run");
    const answers = join(base, "run/out/server/answers/policy-000001.jsonl");
    const started = startHere("oreal", config);
    while (linesOf(answers) < 4 && !started.hasEnded()) await new Promise((settle) => setTimeout(settle, 1));
    const mark = JSON.parse(readFileSync(join(base, "run/out/server/process.json"), "utf8")) as { pid: number };
    process.kill(mark.pid, "SIGKILL");
    const broken = await started.ended;
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringMatching(/is gone: it was ended by SIGKILL/)]);
    const kept = linesOf(answers) - 1;
    expect(kept).toBeGreaterThan(2);
    const before = readFileSync(answers, "utf8");
    const { code, stderr } = await runHere("oreal", config, "--resume");
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    expect(readFileSync(answers, "utf8").startsWith(before)).toBe(true);

    const lines = readFileSync(join(base, "run/out/metrics.jsonl"), "utf8").trimEnd().split("\n");
    const metrics = lines.map((line) => JSON.parse(line) as Record<string, number>);
    expect(metrics).toMatchObject([1, 2].map((step) => ({ step, responses: 20, lost: 0, fromText: 0 })));
    // float32 here and there; the second policy is another one than the first
    for (const { mismatchMost } of metrics) expect(mismatchMost).toBeLessThan(2e-3);
    expect(metrics[1]!["klToInitial"] ?? 1).toBeGreaterThan(0);

    // and again, from the stored answers alone: no server is started
    const whole = orealResults(join(base, "run/out"));
    rmSync(join(base, "run/out/checkpoints"), { recursive: true });
    rmSync(join(base, "run/out/summary.json"));
    const none = await runHere(
      "oreal",
      config,
      "--resume",
      "--set",
      'sampling.server.command=["false","{adapter}{port}{policy}"]',
    );
    expect([none.code, none.code === 0 ? "" : none.stderr]).toEqual([0, ""]);
    expect(orealResults(join(base, "run/out"))).toEqual(whole);
  },
  300_000,
);
