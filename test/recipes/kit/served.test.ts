import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerConfig } from "../../../src/config/server-group.ts";
import { createAdapter } from "../../../src/model/adapters/lora.ts";
import { withAdapter } from "../../../src/model/adapters/with-adapter.ts";
import { loadModel, type Model } from "../../../src/model/model.ts";
import { drawServed } from "../../../src/recipes/kit/served/index.ts";
import { Outage } from "../../../src/system/outage.ts";
import { releaseEngine, useEngine } from "../../../src/tensor/engine.ts";
import { userError } from "../../user-error.ts";
import { type Answer, type Asked, type FakeServer, fakeServer } from "../../server/fake-server.ts";
import { smallSolver } from "../small-run.ts";

let base: string;
let trunk: Model;
let server: FakeServer;
let answer: (asked: Asked) => Answer;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "tokensift-served-kit-"));
  await useEngine("cpu", { threads: 1 });
  trunk = await loadModel(smallSolver);
});
afterAll(() => {
  trunk.dispose();
  releaseEngine();
  rmSync(base, { recursive: true });
});
beforeEach(async () => void (server = await fakeServer((asked) => (asked.method === "GET" ? {} : answer(asked)))));
afterEach(() => server.close());

let runs = 0;
const questionOf = (text: string, rowId: number) => {
  return { rowId, prompt: trunk.tokenizer.encode(text), reference: "7" };
};
function draw(settings: { [K in keyof ServerConfig]?: ServerConfig[K] | undefined }, model: Model = trunk) {
  const config = {
    url: server.url,
    weights: "none",
    concurrency: 2,
    timeout: 5,
    retryPause: 0.001,
    ...settings,
  } as ServerConfig;
  const questions = [questionOf("How many ?", 4), questionOf("How many bags ?", 9)];
  return drawServed(
    config,
    questions,
    { iteration: 0, answers: "answers.jsonl" },
    {
      ...{ model, start: smallSolver, run: join(base, String(runs++)), seed: 1, interrupted: () => false },
      sampling: { samples: 2, temperature: 1, topP: 1, maxNewTokens: 6 },
    },
  );
}

test("makes ids of text, and counts the text that they do not spell", async () => {
  const texts = ["#### 7", "#### 8", "Ω", "#### 9"];
  const prompts: unknown[] = [];
  answer = ({ body }) => {
    prompts.push(body["prompt"]);
    return { model: "m", choices: [{ text: texts.shift(), finish_reason: texts.length === 1 ? "length" : "stop" }] };
  };
  const { drawn, fromText, logProbs, lost } = await draw({ protocol: "openai", model: "m", concurrency: 1 });
  expect(prompts).toEqual(["How many ?", "How many ?", "How many bags ?", "How many bags ?"]);
  expect(fromText).toEqual({ all: 4, other: 1 });
  const end = trunk.config.endOfText[0]!;
  expect(drawn[0]).toMatchObject({
    rowId: 4,
    sample: 0,
    ids: [...trunk.tokenizer.encode("#### 7"), end],
    finished: true,
  });
  expect(drawn[2]).toMatchObject({ rowId: 9, sample: 0, finished: false });
  expect([logProbs.every((numbers) => numbers === undefined), lost]).toEqual([true, 0]);
});

test("cuts an answer at the first token that ends it", async () => {
  const end = trunk.config.endOfText[0]!;
  answer = () => ({
    tokens: [5, end, 6, 7],
    content: "",
    stop_type: "limit",
    completion_probabilities: [end, 6, 7].map((id, k) => ({ id, logprob: -1 - k })), // 5 is a part of a character
  });
  const { drawn, logProbs } = await draw({ protocol: "llama-cpp" });
  expect(drawn).toHaveLength(4);
  expect(drawn[3]).toMatchObject({ ids: [5, end], finished: true });
  expect([...logProbs[3]!]).toEqual([NaN, -1]);
});

test("takes no ids of another vocabulary, and no silence for an answer", async () => {
  answer = () => ({ tokens: [trunk.config.vocabularySize], content: "", stop_type: "limit" });
  await expect(draw({ protocol: "llama-cpp" })).rejects.toThrow(
    /gives no answer: its answer has the token \d+ of another/,
  );
  answer = () => ({ tokens: [], content: "", stop_type: "limit" });
  await expect(draw({ protocol: "llama-cpp" })).rejects.toThrow(Outage);
});

test("takes no answers of several models", async () => {
  let asked = 0;
  answer = () => ({ model: `model-${asked++}`, tokens: [5], content: "", stop_type: "limit" });
  await expect(draw({ protocol: "llama-cpp", concurrency: 1 })).rejects.toThrow(userError("wrong-policy", "model-1"));
});

test("has SGLang load the whole policy, and knows its answers by the version of the weights", async () => {
  let version = "default";
  answer = ({ path, body }) => {
    if (path === "/update_weights_from_disk") {
      version = String(body["weight_version"]);
      expect(existsSync(join(String(body["model_path"]), "model.safetensors"))).toBe(true);
      return { success: true, message: "", num_paused_requests: 0 };
    }
    const about = {
      finish_reason: { type: "length" },
      weight_version: version,
      output_token_logprobs: [[-1, 5, null]],
    };
    return { text: "", output_ids: [5], meta_info: about };
  };
  const adapted = withAdapter(trunk, await createAdapter(trunk, { rank: 2 }));
  const { drawn } = await draw({ weights: "disk" }, adapted);
  expect([drawn.length, version]).toEqual([4, expect.stringMatching(/^policy-000000-/)]);
  adapted.dispose();
  answer = () => ({ success: false, message: "no such folder" });
  await expect(draw({ weights: "disk" })).rejects.toThrow(userError("server-refused", "no such folder"));
});

test("says what a server that it starts complains of, and leaves none behind", async () => {
  const adapted = withAdapter(trunk, await createAdapter(trunk, { rank: 2 }));
  const script = 'console.log("no room for", process.argv.slice(1).join(" ")); process.exit(3)';
  const command = [process.execPath, "-e", script, "{model}", "{adapter}", "{port}", "{policy}"];
  const taken = draw({ weights: "restart", command }, adapted);
  await expect(taken).rejects.toThrow(userError("conflicting-options", server.url));
  await expect(draw({ weights: "restart", command, url: undefined }, adapted)).rejects.toThrow(
    userError("command-failed", "it ended with exit code 3"),
  );
  const said = readFileSync(join(base, String(runs - 1), "server/server.log"), "utf8");
  expect(said).toMatch(/^no room for \S+small-solver \S+\/policy-000000\.gguf \d+ policy-000000-[0-9a-f]{6}\n$/);
  expect(existsSync(join(base, String(runs - 1), "server/process.json"))).toBe(false);
  await expect(
    draw({ weights: "restart", command: ["/nowhere/llama-server"], url: undefined }, adapted),
  ).rejects.toThrow(userError("command-failed", "ENOENT"));
  adapted.dispose();
});
