import { answerFields } from "../answer-fields.ts";
import type { ServerProtocol } from "../protocol.ts";
import { openaiSampling } from "./vllm.ts";

/**
 * Any server with OpenAI's completions: text in, text out. The ids that the model has drawn are not known.
 * @see https://platform.openai.com/docs/api-reference/completions
 */
export const openai: ServerProtocol = {
  name: "openai",
  health: "v1/models",
  complete: {
    path: "v1/completions",
    body: (request) => ({ ...openaiSampling(request), prompt: request.promptText() }),
    read(answer) {
      const fields = answerFields(answer);
      const choice = fields.at("choices").at(0);
      return {
        model: fields.at("model").textOr(undefined),
        ids: undefined,
        text: choice.at("text").text(),
        finished: choice.at("finish_reason").text() === "stop",
        logProbs: undefined,
      };
    },
  },
};
