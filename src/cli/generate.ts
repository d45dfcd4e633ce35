import { generate, loadModel } from "../model/index.ts";
import { formatNumber } from "../report/format.ts";
import { terminalText } from "../system/visible-text.ts";
import { renderPrompt, type Tokenizer } from "../text/index.ts";
import { defineCommand } from "./command.ts";
import { engineFlags, withEngine } from "./engine.ts";
import { amount, requiredValue, wholeNumber } from "./values.ts";

/** `tokensift generate`. */
export const generateText = defineCommand({
  usage: "generate --model DIR|FILE.gguf --prompt TEXT [flags]",
  summary: "Continues a prompt and prints the new text.",
  details:
    "The prompt is put through the model's chat template where there is one. With --raw, or without a template, it is\n" +
    "continued as it stands, behind the tokens that the tokenizer puts before a text.",
  flags: {
    model: { type: "string", value: "PATH", description: "A folder in Hugging Face layout, or a GGUF file." },
    prompt: { type: "string", value: "TEXT", description: "What to answer." },
    "max-tokens": { type: "string", value: "N", description: "Most new tokens. Default 128." },
    temperature: { type: "string", value: "T", description: "0 (default) takes the most likely token each time." },
    "top-k": { type: "string", value: "K", description: "Draw from the K most likely tokens." },
    "top-p": { type: "string", value: "P", description: "Draw from the most likely tokens that together reach P." },
    seed: { type: "string", value: "N", description: "Seed of the draws. Default 0." },
    raw: { type: "boolean", description: "Do not use the chat template." },
    ids: { type: "boolean", description: "Print the ids of the new tokens as JSON instead of text." },
    ...engineFlags,
  },
  run: async (values, { stdout, stderr }) => {
    const path = requiredValue("model", values.model, "a model folder or a GGUF file");
    const prompt = requiredValue("prompt", values.prompt, "the text to answer");
    const topK = wholeNumber("top-k", values["top-k"]);
    const topP = amount("top-p", values["top-p"]);
    const options = {
      maxNewTokens: wholeNumber("max-tokens", values["max-tokens"]) ?? 128,
      temperature: amount("temperature", values.temperature) ?? 0,
      seed: wholeNumber("seed", values.seed, { minimum: 0 }) ?? 0,
      ...(topK === undefined ? {} : { topK }),
      ...(topP === undefined ? {} : { topP }),
    };
    await withEngine(values, stderr, async () => {
      const model = await loadModel(path);
      const { tokenizer } = model;
      const promptIds = promptTokens(tokenizer, prompt, values.raw ?? false);
      const start = performance.now();
      const stop = [...new Set([...model.config.endOfText, ...(tokenizer.endOfText ?? [])])];
      const [answer] = await generate(model, [promptIds], { ...options, stop, fastAlone: true });
      const seconds = (performance.now() - start) / 1000;
      model.dispose();
      const { ids, finished } = answer!;
      const text = tokenizer.decode(ids, { skipSpecialTokens: true });
      const shown = stdout.isTTY ? terminalText(text) : text;
      stdout.write(`${values.ids ? JSON.stringify(ids) : shown}\n`);
      const pace = `${formatNumber(ids.length / seconds, 3)} tokens/s`;
      const end = finished ? "" : "; cut off by --max-tokens or the model's context";
      stderr.write(`${promptIds.length} prompt tokens, ${ids.length} new ones, ${pace}${end}\n`);
    });
  },
});

function promptTokens(tokenizer: Tokenizer, prompt: string, raw: boolean): number[] {
  return raw || tokenizer.chatTemplate === undefined
    ? tokenizer.encode(prompt, { addSpecialTokens: true })
    : renderPrompt(tokenizer, [{ role: "user", content: prompt }]);
}
