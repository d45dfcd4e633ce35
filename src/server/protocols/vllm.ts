import { answerFields, logProbsOf } from "../answer-fields.ts";
import { RequestFailure } from "../failure.ts";
import type { CompletionRequest, ServerProtocol } from "../protocol.ts";

/**
 * vLLM: ids in and, from version 0.10.2 on, ids out.
 * @see https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html
 */
export const vllm: ServerProtocol = {
  name: "vllm",
  health: "health",
  complete: {
    path: "v1/completions",
    body: (request) => ({
      ...openaiSampling(request),
      prompt: request.prompt,
      top_k: request.topK ?? -1,
      min_p: 0,
      repetition_penalty: 1,
      stop_token_ids: request.stop,
      skip_special_tokens: false,
      return_token_ids: true,
      logprobs: 0,
    }),
    read(answer) {
      const fields = answerFields(answer);
      const choice = fields.at("choices").at(0);
      const ids = choice.at("token_ids").ids();
      const numbers = choice.at("logprobs").at("token_logprobs").list() ?? [];
      return {
        model: fields.at("model").textOr(undefined),
        ids,
        text: choice.at("text").text(),
        finished: choice.at("finish_reason").text() === "stop",
        logProbs:
          ids &&
          logProbsOf(
            numbers.map((entry) => entry.number()),
            ids.length,
          ),
      };
    },
  },
  score: {
    path: "v1/completions",
    body: ({ model, ids }) => ({ model, prompt: ids, max_tokens: 1, temperature: 0, prompt_logprobs: 0 }),
    read(answer, { ids }) {
      const choice = answerFields(answer).at("choices").at(0);
      const entries = choice.at("prompt_logprobs").list() ?? [];
      const found = ids.slice(1).map((id, i) => entries[i + 1]?.at(String(id)).at("logprob").number());
      const logProbs = logProbsOf(found, ids.length - 1);
      if (logProbs === undefined) throw new RequestFailure("its answer lacks log-probabilities of the prompt");
      return Float32Array.from(logProbs);
    },
  },
};

/** What all servers that follow OpenAI's interface understand. */
export function openaiSampling({ model, maxNewTokens, temperature, topP, seed }: CompletionRequest): object {
  return { model, max_tokens: maxNewTokens, temperature, top_p: topP, seed, n: 1, stream: false };
}
