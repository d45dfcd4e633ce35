import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../system/errors.ts";

/** Files that a folder in Hugging Face layout may hold for its tokenizer, whichever program reads them. */
const names = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "vocab.txt",
  "merges.txt",
  "tokenizer.model",
  "spiece.model",
  "tekken.json",
  "chat_template.jinja",
  "chat_template.json",
];

/** Where transformers keeps the templates that have a name. */
const templateFolder = "additional_chat_templates";

/** Files that hold chat templates and nothing else. */
export const templateFiles = {
  own: "chat_template.jinja",
  ofProcessor: "chat_template.json",
  /** Those that transformers takes in place of the first without being asked to. */
  takenUnasked: ["default", "tool_use"].map((name) => `${templateFolder}/${name}.jinja`),
} as const;

const namedTemplate = /^additional_chat_templates\/[^/\\]+\.jinja$/;

/** Whether a path below a model folder is that of a tokenizer's file. */
export function isTokenizerFile(path: string): boolean {
  return names.includes(path) || namedTemplate.test(path);
}

const largestFile = 128 * 2 ** 20; // bytes

/**
 * The files of a folder's tokenizer to the byte, by their path below the folder (with `/`).
 * @throws UserError for one that is no file, is too large or cannot be read
 */
export function readTokenizerFiles(folder: string): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (const path of [...names, ...namedTemplates(folder)]) {
    const bytes = readSmallFile(join(folder, path));
    if (bytes !== undefined) files[path] = bytes;
  }
  return files;
}

function namedTemplates(folder: string): string[] {
  const place = join(folder, templateFolder);
  if (statSync(place, { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  const entries = readdirSync(place).sort();
  return entries.map((name) => `${templateFolder}/${name}`).filter((path) => namedTemplate.test(path));
}

/** The bytes of a file of at most 128 MiB, undefined where there is none. */
export function readSmallFile(path: string): Uint8Array | undefined {
  const entry = statSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return undefined;
  if (!entry.isFile()) throw new UserError("not-a-file", "this is no file", { where: path });
  if (entry.size > largestFile) {
    throw new UserError("too-large", `this file has ${entry.size} bytes, more than the ${largestFile} that are read`, {
      where: path,
    });
  }
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new UserError("unreadable", "this file cannot be read", {
      where: path,
      fix: "Check its permissions.",
      cause,
    });
  }
}
