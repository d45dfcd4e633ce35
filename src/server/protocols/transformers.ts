import type { ServerProtocol } from "../protocol.ts";
import { openai } from "./openai.ts";
import { openaiSampling } from "./vllm.ts";

/**
 * `transformers serve`: OpenAI's completions, text in and text out. Whether it samples it takes from the model's
 * generation_config.json, whatever temperature is asked for, and the 50 likeliest tokens are its default: both go with each
 * request. Its list of models is that of its cache, and no sign of life.
 * @see https://huggingface.co/docs/transformers/serving
 */
export const transformers: ServerProtocol = {
  name: "transformers",
  health: "health",
  complete: {
    ...openai.complete,
    body: (request) => ({
      ...openaiSampling(request),
      prompt: request.promptText(),
      frequency_penalty: 0, // what it multiplies repeated tokens by is one more than this
      generation_config: JSON.stringify({
        do_sample: request.temperature > 0,
        top_k: request.topK ?? 0,
        eos_token_id: request.stop,
      }),
    }),
  },
};
