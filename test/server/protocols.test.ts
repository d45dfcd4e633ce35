import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { serverAddress } from "../../src/server/address.ts";
import { serverClient } from "../../src/server/client.ts";
import type { CompletionRequest, ProtocolName } from "../../src/server/protocol.ts";
import { protocols } from "../../src/server/protocols/index.ts";
import { type FakeServer, fakeServer } from "./fake-server.ts";

const recorded = (name: string): string =>
  readFileSync(join(import.meta.dirname, `../fixtures/server/${name}.json`), "utf8");

const request: CompletionRequest = {
  ...{ model: "policy-000003-1a2b3c", prompt: [1, 4093, 198], promptText: () => "<|im_start|>user\n" },
  ...{ maxNewTokens: 8, temperature: 0.7, topP: 0.9, topK: 5, seed: 11, stop: [2] },
};

async function withServer<T>(answer: string, work: (server: FakeServer) => Promise<T>): Promise<T> {
  const server = await fakeServer(() => answer);
  try {
    return await work(server);
  } finally {
    await server.close();
  }
}

const clientOf = (url: string, protocol: ProtocolName) =>
  serverClient(serverAddress(url, "test"), protocols[protocol], { timeout: 5000, patience: { tries: 1, pause: 1 } });

// what each is asked beside the prompt, and what its recorded answer says
test.each([
  {
    protocol: "vllm",
    fixture: "vllm-completion",
    path: "/v1/completions",
    sent: { model: request.model, prompt: request.prompt, max_tokens: 8, top_k: 5, seed: 11, return_token_ids: true },
    found: { model: request.model, ids: [281, 2], finished: true, logProbs: [-0.25, -0.5] },
  },
  {
    protocol: "sglang",
    fixture: "sglang-generate",
    path: "/generate",
    sent: { input_ids: request.prompt, return_logprob: true },
    found: { model: request.model, ids: [281, 2], finished: true, logProbs: [-0.25, -0.5] },
  },
  {
    protocol: "llama-cpp",
    fixture: "llama-cpp-ended",
    path: "/completion",
    sent: { model: request.model, prompt: request.prompt, n_predict: 8, top_k: 5, seed: 11, return_tokens: true },
    found: { model: "base", ids: [2], finished: true, logProbs: [-15.80505084991455] },
  },
  {
    protocol: "transformers",
    fixture: "transformers-completion",
    path: "/v1/completions",
    sent: { model: request.model, prompt: "<|im_start|>user\n", max_tokens: 8, temperature: 0.7, top_p: 0.9, seed: 11 },
    found: { model: "MODEL@main", ids: undefined, text: "17 + 25 = 42", finished: true, logProbs: undefined },
  },
  {
    protocol: "openai",
    fixture: "vllm-completion",
    path: "/v1/completions",
    sent: { model: request.model, prompt: "<|im_start|>user\n", max_tokens: 8, seed: 11 },
    found: { model: request.model, ids: undefined, text: " 7<|im_end|>", finished: true, logProbs: undefined },
  },
] as const)("continues a prompt by $protocol", async ({ protocol, fixture, path, sent, found }) => {
  await withServer(recorded(fixture), async ({ url, asked }) => {
    expect(await clientOf(`${url}/v1/`, protocol).complete(request)).toMatchObject(found);
    expect(asked).toMatchObject([{ method: "POST", path, body: sent }]);
  });
});

// the server takes these from the model's files otherwise, and answers greedily where they say nothing
test.each([
  { temperature: 0.7, topK: undefined, asked: { do_sample: true, top_k: 0, eos_token_id: [2] } },
  { temperature: 1, topK: 5, asked: { do_sample: true, top_k: 5, eos_token_id: [2] } },
  { temperature: 0, topK: undefined, asked: { do_sample: false, top_k: 0, eos_token_id: [2] } },
])("tells transformers whether to sample at temperature $temperature", ({ temperature, topK, asked }) => {
  const sent = protocols.transformers.complete.body({ ...request, temperature, topK }) as Record<string, unknown>;
  expect(JSON.parse(sent["generation_config"] as string)).toEqual(asked);
  // it refuses any key that is none of OpenAI's, and a temperature of 1 in that text, as that is no float
  expect(Object.keys(sent).sort()).toEqual(
    ["model", "prompt", "max_tokens", "temperature", "top_p", "seed", "n", "stream"]
      .concat(["frequency_penalty", "generation_config"])
      .sort(),
  );
});

test("reads an answer of llama.cpp that came to its limit", async () => {
  await withServer(recorded("llama-cpp-completion"), async ({ url }) => {
    const { ids, logProbs, finished } = await clientOf(url, "llama-cpp").complete(request);
    expect([finished, ids!.length, logProbs!.length]).toEqual([false, 8, 8]);
    expect(logProbs!.every((value) => value! < 0)).toBe(true);
  });
});

test.each(["vllm", "sglang"] as const)("scores given tokens by %s", async (protocol) => {
  await withServer(recorded(`${protocol}-score`), async ({ url }) => {
    const { score } = clientOf(url, protocol);
    expect([...(await score!({ model: "judge", ids: [1, 4093, 198] }))]).toEqual([-1.5, -0.125]);
    await expect(score!({ model: "judge", ids: [1, 4093, 199] })).rejects.toThrow("lacks log-probabilities");
  });
});

test("says which servers do not score", () => {
  expect(clientOf("http://127.0.0.1:1", "llama-cpp").score).toBeUndefined();
  expect(clientOf("http://127.0.0.1:1", "openai").score).toBeUndefined();
  expect(clientOf("http://127.0.0.1:1", "transformers").score).toBeUndefined();
});

test("answers a conversation", async () => {
  await withServer(recorded("llama-cpp-chat"), async ({ url, asked }) => {
    const messages = [{ role: "user", content: "Say hi." }] as const;
    const { chat } = clientOf(url, "llama-cpp");
    expect(await chat({ model: "base", messages, maxNewTokens: 6, temperature: 0, seed: 3 })).toEqual({
      ...{ text: "Hello, welcome to the world", finished: false, model: "base" },
    });
    expect(asked).toMatchObject([{ path: "/v1/chat/completions", body: { max_tokens: 6, messages, seed: 3 } }]);
  });
});
