import { answerFields, logProbsOf } from "../answer-fields.ts";
import { RequestFailure } from "../failure.ts";
import type { ServerProtocol } from "../protocol.ts";

/**
 * SGLang's own interface. A request has no place for a model's name; the answer tells the version of the weights, which
 * `update_weights_from_disk` sets.
 * @see https://docs.sglang.ai/basic_usage/native_api.html
 */
export const sglang: ServerProtocol = {
  name: "sglang",
  health: "health",
  complete: {
    path: "generate",
    body: ({ prompt, maxNewTokens, temperature, topP, topK, seed, stop }) => ({
      input_ids: prompt,
      sampling_params: {
        max_new_tokens: maxNewTokens,
        temperature,
        top_p: topP,
        top_k: topK ?? -1,
        min_p: 0,
        repetition_penalty: 1,
        sampling_seed: seed,
        stop_token_ids: stop,
        skip_special_tokens: false,
      },
      return_logprob: true,
      stream: false,
    }),
    read(answer) {
      const fields = answerFields(answer);
      const about = fields.at("meta_info");
      const pairs = about.at("output_token_logprobs").list() ?? [];
      const ids = fields.at("output_ids").ids();
      return {
        model: about.at("weight_version").textOr(undefined),
        ids,
        text: fields.at("text").textOr(""),
        finished: about.at("finish_reason").at("type").text() === "stop",
        logProbs:
          ids &&
          logProbsOf(
            pairs.map((pair) => pair.at(0).number()),
            ids.length,
          ),
      };
    },
  },
  score: {
    path: "generate",
    body: ({ ids }) => ({
      input_ids: ids,
      sampling_params: { max_new_tokens: 0, temperature: 0 },
      return_logprob: true,
      logprob_start_len: 0,
      stream: false,
    }),
    read(answer, { ids }) {
      const pairs = answerFields(answer).at("meta_info").at("input_token_logprobs").list() ?? [];
      const fits = pairs.length === ids.length && pairs.every((pair, i) => pair.at(1).number() === ids[i]);
      const logProbs = fits
        ? logProbsOf(
            pairs.slice(1).map((pair) => pair.at(0).number()),
            ids.length - 1,
          )
        : undefined;
      if (logProbs === undefined) throw new RequestFailure("its answer lacks log-probabilities of the prompt");
      return Float32Array.from(logProbs);
    },
  },
};
