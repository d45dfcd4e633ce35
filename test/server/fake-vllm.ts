import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stream } from "../../src/system/random.ts";
import { loadTokenizer, type Tokenizer } from "../../src/text/index.ts";
import { type Answer, type Asked, status } from "./fake-server.ts";

/** A vLLM of adapters that answers by what is in the one it was given: other weights, other answers. */
export class FakeVllm {
  readonly #tokenizer: Tokenizer;
  readonly adapters = new Map<string, string>();
  /** Answers so many prompts, then nothing more. */
  patience = Infinity;
  /** What becomes of an answer. */
  twist = (answer: Record<string, unknown>, _: Asked): Answer => answer;
  completions = 0;

  /** @param model whose tokens it answers in */
  constructor(model: string) {
    this.#tokenizer = loadTokenizer(model);
  }

  answer(asked: Asked): Answer {
    const { path, body } = asked;
    const name = String(body["lora_name"] ?? body["model"]);
    if (path === "/health") return this.patience > 0 ? {} : (response) => void response.destroy();
    if (path === "/v1/unload_lora_adapter")
      return this.adapters.delete(name) ? "Success" : status(404, '{"message": "not found"}');
    if (path === "/v1/load_lora_adapter") {
      const weights = readFileSync(join(String(body["lora_path"]), "adapter_model.safetensors"));
      this.adapters.set(name, createHash("sha256").update(weights).digest("hex"));
      return "Success: LoRA adapter added successfully.";
    }
    if (this.patience-- <= 0) return (response) => void response.destroy();
    const weights = this.adapters.get(name);
    if (weights === undefined) return status(404, `{"message": "The model ${name} does not exist."}`);
    this.completions++;
    const tokenizer = this.#tokenizer;
    const end = tokenizer.endOfText![0]!;
    const random = stream(weights, Number(body["seed"]), JSON.stringify(body["prompt"]));
    const ids = [...tokenizer.encode(`#### ${1 + random.below(40)}`), ...(random.next() < 0.9 ? [end] : [])];
    const choice = {
      ...{ text: tokenizer.decode(ids), token_ids: ids, finish_reason: ids.at(-1) === end ? "stop" : "length" },
      logprobs: { token_logprobs: ids.map(() => -0.5 - random.next()) },
    };
    return this.twist({ model: name, choices: [choice] }, asked);
  }
}
