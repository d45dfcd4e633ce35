import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

const savedFiles = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "chat_template.jinja",
];
const largestFile = 128 * 2 ** 20; // bytes

/**
 * Reads the tokenizer of a model folder in Hugging Face layout: `tokenizer.json`, and if they are there
 * `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, `chat_template.jinja`,
 * `generation_config.json` and `config.json`.
 * @throws UserError naming the file that is missing, damaged or not supported
 */
export function loadTokenizer(folder: string): Tokenizer {
  const files: Record<string, string> = {};
  const read = (name: string): string | undefined => readText(join(folder, name));
  const readJson = (name: string, text = read(name)): Record<string, unknown> => {
    if (text === undefined) return {};
    const json = parseJson(text, join(folder, name));
    if (isRecord(json)) return json;
    throw new UserError("invalid-tokenizer", "an object was expected", { where: join(folder, name) });
  };
  for (const name of savedFiles) {
    const text = read(name);
    if (text !== undefined) files[name] = text;
  }
  const text = files["tokenizer.json"];
  if (text === undefined) {
    throw new UserError("missing-tokenizer", "there is no tokenizer.json here", {
      where: folder,
      fix: "Save the tokenizer with the model (transformers: tokenizer.save_pretrained).",
    });
  }
  const config = readJson("tokenizer_config.json", files["tokenizer_config.json"] ?? "{}");
  const specialTokensMap = readJson("special_tokens_map.json", files["special_tokens_map.json"] ?? "{}");
  const addedTokens = readJson("added_tokens.json", files["added_tokens.json"] ?? "{}");
  const endIds = ["generation_config.json", "config.json"].flatMap((name) => idsOf(readJson(name).eos_token_id));
  const chatTemplate =
    files["chat_template.jinja"] ?? configuredTemplate(config.chat_template, join(folder, "tokenizer_config.json"));
  const path = join(folder, "tokenizer.json");
  const parts = { json: parseJson(text, path), config, specialTokensMap, addedTokens, chatTemplate, endIds, files };
  return createTokenizer(parts, path);
}

function readText(path: string): string | undefined {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return undefined;
  if (!entry.isFile()) throw new UserError("not-a-file", "this is no file", { where: path });
  if (entry.size > largestFile) {
    throw new UserError("too-large", `this file has ${entry.size} bytes, more than the ${largestFile} that are read`, {
      where: path,
    });
  }
  try {
    return new TextDecoder().decode(readFileSync(path)); // drops a byte-order mark
  } catch (cause) {
    throw new UserError("unreadable", "this file cannot be read", {
      where: path,
      fix: "Check its permissions.",
      cause,
    });
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
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
