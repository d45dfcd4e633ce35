import { join } from "node:path";
import { parseBoundedJson } from "../system/bounded-json.ts";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { readSmallFile, readTokenizerFiles } from "./tokenizer-files.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

/**
 * Reads the tokenizer of a model folder in Hugging Face layout: `tokenizer.json`, and if they are there
 * `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, `chat_template.jinja`,
 * `generation_config.json` and `config.json`. Files that other programs read beside them (`merges.txt`, `tokenizer.model`, ...)
 * are kept, to be saved again.
 * @throws UserError naming the file that is missing, damaged or not supported
 */
export function loadTokenizer(folder: string): Tokenizer {
  const files = readTokenizerFiles(folder);
  const read = (name: string): string | undefined => text(files[name] ?? readSmallFile(join(folder, name)));
  const readJson = (name: string): Record<string, unknown> => {
    const content = read(name);
    if (content === undefined) return {};
    const json = parseJson(content, join(folder, name));
    if (isRecord(json)) return json;
    throw new UserError("invalid-tokenizer", "an object was expected", { where: join(folder, name) });
  };
  const main = read("tokenizer.json");
  if (main === undefined) {
    throw new UserError("missing-tokenizer", "there is no tokenizer.json here", {
      where: folder,
      fix: "Save the tokenizer with the model (transformers: tokenizer.save_pretrained).",
    });
  }
  const config = readJson("tokenizer_config.json");
  const specialTokensMap = readJson("special_tokens_map.json");
  const addedTokens = readJson("added_tokens.json");
  const endIds = ["generation_config.json", "config.json"].flatMap((name) => idsOf(readJson(name).eos_token_id));
  const chatTemplate =
    read("chat_template.jinja") ?? configuredTemplate(config.chat_template, join(folder, "tokenizer_config.json"));
  const path = join(folder, "tokenizer.json");
  const parts = { json: parseJson(main, path), config, specialTokensMap, addedTokens, chatTemplate, endIds, files };
  return createTokenizer(parts, path);
}

/** The text of a file; a byte-order mark before it is dropped. */
function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

function parseJson(text: string, where: string): unknown {
  try {
    return parseBoundedJson(text, { uniqueKeys: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : "";
    throw new UserError("invalid-json", `this is not JSON: ${reason}`, {
      where,
      fix: "Download or save the file again.",
      cause,
    });
  }
}

function idsOf(value: unknown): number[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((id): id is number => typeof id === "number" && Number.isInteger(id));
}

/** A template, or a list of named ones of which "default" counts. */
function configuredTemplate(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
  const named: unknown[] = Array.isArray(value) ? value : [undefined];
  const templates = named.map((entry) => {
    if (isRecord(entry) && typeof entry.name === "string" && typeof entry.template === "string") return entry;
    throw new UserError("invalid-chat-template", "chat_template is neither text nor a list of named texts", {
      where,
      fix: 'Write the template as text, or a list of {"name": ..., "template": ...}, or leave it out.',
    });
  });
  return templates.find(({ name }) => name === "default")?.template as string | undefined;
}
