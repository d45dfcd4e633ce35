import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../system/errors.ts";
import { packageRoot } from "../system/package-root.ts";
import { openWeights } from "../model/weights/index.ts";
import { loadTokenizer, tokenizerFromGguf, type Tokenizer } from "../text/index.ts";

/**
 * The tokenizer of a model folder or a GGUF file, without its weights.
 * @param path default: the tiny model of a checkout
 */
export async function openTokenizer(path = defaultModel()): Promise<{ tokenizer: Tokenizer; path: string }> {
  const entry = await stat(path).catch(() => undefined);
  if (entry?.isDirectory()) return { tokenizer: loadTokenizer(path), path };
  const weights = await openWeights(path);
  try {
    return { tokenizer: tokenizerFromGguf(weights.metadata ?? {}), path };
  } finally {
    await weights.close();
  }
}

function defaultModel(): string {
  const path = join(packageRoot(), "models", "tiny");
  if (existsSync(path)) return path;
  throw new UserError("missing-option", "--model is missing", {
    fix: "Give it a model folder or a GGUF file, for its tokenizer.",
  });
}
