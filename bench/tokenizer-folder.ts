import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readModelFacts } from "../src/model/index.ts";

/** Writes the files of a model's tokenizer, which may be a GGUF file, to where the other side opens them. */
export async function writeTokenizer(folder: string, model: string): Promise<void> {
  const { tokenizer } = await readModelFacts(model);
  mkdirSync(join(folder, "tokenizer"));
  for (const [name, text] of Object.entries(tokenizer.files)) writeFileSync(join(folder, "tokenizer", name), text);
}
