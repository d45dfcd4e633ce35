import { isRecord } from "../../system/is-record.ts";
import type { DecoderConfig } from "../config.ts";
import { configText, writeDecoderConfig } from "../config-file.ts";
import { jsonKeys } from "../../system/json-keys.ts";
import type { Origin } from "./origin.ts";

/**
 * Keys of `config.json` that were true of the author's files alone: how their weights were packed, code of theirs that is
 * not copied. Keys with `_` are transformers' own notes.
 */
const ofTheirFiles = ["quantization_config", "quantization", "compression_config", "auto_map"];

/**
 * Text of `config.json`: what the author wrote, over which goes everything that is known of the model. The author's keys
 * stay in their order; `transformers_version` too, by which transformers tells whether the tokenizer needs repair.
 */
export function carriedConfigText(config: DecoderConfig, dtype: string, origin: Origin | undefined): string {
  const known = writeDecoderConfig(config, dtype);
  const text = origin?.configText ?? "{}";
  const author = recordOf(text);
  if (author["model_type"] !== known["model_type"]) return configText(known);
  const kept = Object.entries(author).filter(([key]) => !key.startsWith("_") && !ofTheirFiles.includes(key));
  const theirs = Object.fromEntries(kept);
  const wishes = "use_cache" in theirs ? { use_cache: theirs["use_cache"] } : {};
  return configText({ ...theirs, ...known, ...wishes }, realKeysOf(text));
}

/**
 * `generation_config.json`: the author's to the byte where the special tokens are those that the model came with,
 * otherwise with those that changed. Without one of the author's: the special tokens.
 * @param writtenConfig text of the new `config.json`
 */
export function carriedGenerationConfig(
  config: DecoderConfig,
  writtenConfig: string,
  origin: Origin | undefined,
): string | Uint8Array {
  const written = recordOf(writtenConfig);
  const present = Object.keys(specialTokens).filter((key) => (written[key] ?? null) !== null);
  if (origin?.generationConfig === undefined)
    return configText(Object.fromEntries(present.map((key) => [key, written[key]])));
  const changed = Object.entries(specialTokens).flatMap(([key, fact]) => {
    return JSON.stringify(config[fact]) === JSON.stringify(origin.config[fact]) ? [] : [key];
  });
  if (changed.length === 0) return origin.generationConfig;
  const text = new TextDecoder().decode(origin.generationConfig);
  const news = changed.map((key) => [key, written[key] ?? undefined]);
  return configText({ ...recordOf(text), ...(Object.fromEntries(news) as object) }, realKeysOf(text));
}

const specialTokens = {
  bos_token_id: "beginOfText",
  eos_token_id: "endOfText",
  pad_token_id: "padToken",
} as const satisfies Record<string, keyof DecoderConfig>;

function recordOf(text: string): Record<string, unknown> {
  const json: unknown = JSON.parse(text);
  return isRecord(json) ? json : {};
}

/** Keys whose values a JSON text writes as real numbers: `30.0` is no longer one once it was read. */
function realKeysOf(text: string): string[] {
  return [...jsonKeys(text)].flatMap(({ key, isReal }) => (isReal ? [key] : []));
}
