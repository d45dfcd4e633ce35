import { answerFields, namedLogProbs } from "../answer-fields.ts";
import type { ServerProtocol } from "../protocol.ts";

/**
 * llama.cpp's own interface: ids in and out. It answers with what it has, whatever model is asked for, and says its alias.
 * Log-probabilities of a prompt it does not tell.
 * @see https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
 */
export const llamaCpp: ServerProtocol = {
  name: "llama-cpp",
  health: "health",
  complete: {
    path: "completion",
    body: ({ model, prompt, maxNewTokens, temperature, topP, topK, seed }) => ({
      model,
      prompt,
      n_predict: maxNewTokens,
      temperature,
      samplers: ["temperature", "top_k", "top_p"],
      top_k: topK ?? 0,
      top_p: topP,
      seed,
      n_probs: 1,
      return_tokens: true,
      stream: false,
    }),
    read(answer) {
      const fields = answerFields(answer);
      const ids = fields.at("tokens").ids();
      // a token that is a part of a character has no entry
      const numbers = (fields.at("completion_probabilities").list() ?? []).map((entry) => {
        return { id: entry.at("id").number(), logProb: entry.at("logprob").number() };
      });
      return {
        model: fields.at("model").textOr(undefined),
        ids,
        text: fields.at("content").text(),
        finished: fields.at("stop_type").text() === "eos",
        logProbs: ids && namedLogProbs(numbers, ids),
      };
    },
  },
};
