import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../system/package-root.ts";
import { openWeights } from "../model/weights/index.ts";
import { withFlag } from "./with-flag.ts";
import { loadTokenizer, tokenizerFromGguf, type Tokenizer } from "../text/index.ts";

/** A tokenizer, and where it is from. */
interface OpenTokenizer {
  readonly tokenizer: Tokenizer;
  readonly path: string;
}

/**
 * The tokenizer of a model; undefined where there is none.
 * @param path default: the tiny model, which a checkout has
 */
export async function tokenizerIfAny(path = tinyModel()): Promise<OpenTokenizer | undefined> {
  return path === undefined ? undefined : withFlag("model", path, openTokenizer);
}

/** The tokenizer of a model folder or a GGUF file, without its weights. */
export async function openTokenizer(path: string): Promise<OpenTokenizer> {
  const entry = await stat(path).catch(() => undefined);
  if (entry?.isDirectory()) return { tokenizer: loadTokenizer(path), path };
  const weights = await openWeights(path);
  try {
    return { tokenizer: tokenizerFromGguf(weights.metadata ?? {}), path };
  } finally {
    await weights.close();
  }
}

function tinyModel(): string | undefined {
  const path = join(packageRoot(), "models", "tiny");
  return existsSync(path) ? path : undefined;
}
