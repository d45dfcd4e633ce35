import { withJsonValue } from "../system/json-keys.ts";
import { templateFiles } from "./tokenizer-files.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * The tokenizer with another chat template, in its files too: `chat_template.jinja`, which newer versions of
 * transformers (looked at: 4.51, 5.23) take before any other. A template in `tokenizer_config.json` is replaced as well,
 * as older ones (4.40) know that alone; so is one in `chat_template.json`. Templates that transformers takes unasked in place of that file (named
 * "default", or "tool_use" where there are tools) are left out, those that it must be asked for stay.
 */
export function withChatTemplate(tokenizer: Tokenizer, template: string): Tokenizer {
  if (template === tokenizer.chatTemplate) return tokenizer;
  const kept = Object.entries(tokenizer.files).filter(([path]) => !templateFiles.takenUnasked.includes(path));
  const files = Object.fromEntries(kept);
  for (const path of ["tokenizer_config.json", templateFiles.ofProcessor]) {
    const bytes = files[path];
    if (bytes === undefined) continue;
    const text = new TextDecoder().decode(bytes);
    const changed = withJsonValue(text, "chat_template", template);
    if (changed !== text) files[path] = utf8.encode(changed);
  }
  files[templateFiles.own] = utf8.encode(template);
  return { ...tokenizer, chatTemplate: template, files };
}

const utf8 = new TextEncoder();
