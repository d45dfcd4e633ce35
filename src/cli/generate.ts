import { gateEviction } from "../eviction/cache/evictions.ts";
import { promptAccount, type PromptAccount } from "../eviction/cache/prompt-account.ts";
import { raggedCache } from "../eviction/cache/ragged-cache.ts";
import { requireKnownIds } from "../model/known-ids.ts";
import { generate } from "../model/generation/generate.ts";
import type { CacheMaker } from "../model/generation/key-value-cache.ts";
import type { Model } from "../model/model.ts";
import { terminalNumber, formatShare } from "../report/format.ts";
import { terminalText } from "../system/visible-text.ts";
import { encodeText, renderPrompt, templateOption, type Tokenizer } from "../text/index.ts";
import { defineCommand } from "./command.ts";
import { flagNames, rowFlags } from "./data-flags.ts";
import { engineFlags, withEngine } from "./engine.ts";
import { budgetFlag, gateFlags, gateRequest, openGates, type OpenGates } from "./open-gates.ts";
import { adapterFlag, openModel } from "./open-model.ts";
import { amount, requiredValue, wholeNumber } from "./values.ts";
import { optional } from "../system/optional.ts";

/** `tokensift generate`. */
export const generateText = defineCommand({
  usage: "generate --model DIR|FILE.gguf --prompt TEXT [--adapter DIR] [--gates DIR] [flags]",
  summary: "Continues a prompt and prints the new text.",
  details:
    "The prompt is put through the model's chat template where there is one. With --raw, or without a template, it is\n" +
    "continued as it stands, behind the tokens that the tokenizer puts before a text.\n\n" +
    "With --gates the answer is read from a cache that drops what the gates evict from the prompt; how much of it is\n" +
    "kept is said at the end. Gates belong to the model that they were trained with: of a run that has trained both,\n" +
    "--model RUN/model --gates RUN/gates, or --model BASE --adapter RUN/adapter --gates RUN/gates.",
  flags: {
    model: { type: "string", value: "PATH", description: "A folder in Hugging Face layout, or a GGUF file." },
    prompt: { type: "string", value: "TEXT", description: "What to answer." },
    ...adapterFlag,
    ...gateFlags,
    ...budgetFlag,
    "max-tokens": { type: "string", value: "N", description: "Most new tokens. Default 128." },
    temperature: { type: "string", value: "T", description: "0 (default) takes the most likely token each time." },
    "top-k": { type: "string", value: "K", description: "Draw from the K most likely tokens." },
    "top-p": { type: "string", value: "P", description: "Draw from the most likely tokens that together reach P." },
    seed: { type: "string", value: "N", description: "Seed of the draws. Default 0." },
    "chat-template": rowFlags["chat-template"],
    raw: { type: "boolean", description: "Do not use the chat template." },
    ids: { type: "boolean", description: "Print the ids of the new tokens as JSON instead of text." },
    ...engineFlags,
  },
  run: async (values, { stdout, stderr }) => {
    const path = requiredValue("model", values.model, "a model folder or a GGUF file");
    const prompt = requiredValue("prompt", values.prompt, "the text to answer");
    const [topK, topP] = [wholeNumber("top-k", values["top-k"]), amount("top-p", values["top-p"])];
    const options = {
      maxNewTokens: wholeNumber("max-tokens", values["max-tokens"]) ?? 128,
      temperature: amount("temperature", values.temperature) ?? 0,
      seed: wholeNumber("seed", values.seed, { minimum: 0 }) ?? 0,
      ...optional({ topK, topP }),
    };
    const chosen = templateOption(values["chat-template"], flagNames());
    const request = gateRequest(values);
    const say = (sentence: string): void => void stderr.write(`${terminalText(sentence)}\n`);
    await withEngine(values, stderr, async () => {
      using opened = await openModel(path, { adapter: values.adapter, say });
      const { model } = opened;
      using gates = request && (await openGates(request, model, say));
      const { tokenizer } = model;
      const promptIds = values.raw ? encodeText(tokenizer, prompt) : promptTokens(tokenizer, prompt, chosen);
      requireKnownIds(promptIds, [model]);
      const start = performance.now();
      const stop = [...new Set([...model.config.endOfText, ...(tokenizer.endOfText ?? [])])];
      const evicting = gates && gatedCache(model, gates);
      const cache = evicting && { cache: evicting.cache };
      const [answer] = await generate(model, [promptIds], { ...options, ...cache, stop, fastAlone: true });
      const seconds = (performance.now() - start) / 1000;
      const { ids, finished } = answer!;
      const text = tokenizer.decode(ids, { skipSpecialTokens: true });
      const shown = stdout.isTTY ? terminalText(text) : text;
      stdout.write(`${values.ids ? JSON.stringify(ids) : shown}\n`);
      const pace = `${terminalNumber(ids.length / seconds, 3)} tokens/s`;
      const end = finished ? "" : "; cut off by --max-tokens or the model's context";
      stderr.write(`${promptIds.length} prompt tokens, ${ids.length} new ones, ${pace}${end}\n`);
      const account = evicting?.account();
      if (account !== undefined) stderr.write(`${accountText(account, gates!)}\n`);
    });
  },
});

/** A cache that drops what the gates evict from the prompt, and the account of it once the prompt has been read. */
function gatedCache(
  model: Model,
  { gates, use }: OpenGates,
): { cache: CacheMaker; account(): PromptAccount | undefined } {
  let account: PromptAccount | undefined;
  const onEvicted = (keep: readonly Uint8Array[], length: number): void => {
    account = promptAccount(keep, length, model, use);
  };
  return { cache: raggedCache(gateEviction(model, gates, use), { onEvicted }), account: () => account };
}

function accountText(
  { entries, kept, evictable, bytes, full }: PromptAccount,
  { use: { sinks, window, rows } }: OpenGates,
): string {
  const [parts, size] = [
    [kept, entries],
    [bytes, full],
  ].map((pair) => pair.map((value) => terminalNumber(value)).join(" of "));
  const sentence = `the gates keep ${parts} entries of the prompt (${formatShare(kept / entries, 1)}), ${size} bytes`;
  const exempt = `the first ${sinks} tokens and the last ${window} always stay`;
  const all = evictable === 0 ? `; ${exempt}, and the prompt has no others` : "";
  const text = rows === "text" ? "; they were trained on plain text, not on prompts" : "";
  return `${sentence}${all}${text}`;
}

function promptTokens(tokenizer: Tokenizer, prompt: string, chosen: { template?: string }): number[] {
  return (chosen.template ?? tokenizer.chatTemplate) === undefined
    ? encodeText(tokenizer, prompt)
    : renderPrompt(tokenizer, [{ role: "user", content: prompt }], chosen);
}
