import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { decoderConfigText } from "../config-file.ts";
import { checkTensors } from "./check-tensors.ts";
import { turnedTensors } from "./orientation.ts";
import { writeSafetensors, type SavedType, type TensorToSave } from "./safetensors-write.ts";
import { writeWholeFolder } from "./whole-folder.ts";

/** What a model folder is made of. */
export interface ModelFiles {
  config: DecoderConfig;
  /** All tensors of the decoder under their Hugging Face names. */
  tensors: Iterable<TensorToSave>;
  /** Contents by file name, for example `tokenizer.json`. */
  tokenizerFiles: Record<string, string>;
  /** Text of `README.md`. */
  card: string;
  /** Number format of the weights; anything but F32 rounds. */
  dtype?: SavedType;
}

const typeNames: Record<SavedType, string> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/**
 * Writes a model folder in Hugging Face layout. It is built beside `folder` and takes its place when complete: a failure
 * leaves nothing new, and what was there stays. A folder is only replaced if it holds nothing but files of these names.
 * @throws UserError if tensors do not match the configuration or the folder holds other files
 */
export async function saveModelFiles(folder: string, files: ModelFiles): Promise<void> {
  const tensors = [...files.tensors];
  checkTensors(files.config, new Map(tensors.map(({ name, shape }) => [name, shape])), folder);
  const texts = textFiles(files, folder);
  await writeWholeFolder(folder, [...texts.keys(), "model.safetensors"], async (temporary) => {
    for (const [name, text] of texts) await writeFile(join(temporary, name), text);
    const stored = turnedTensors(files.config, tensors);
    await writeSafetensors(join(temporary, "model.safetensors"), stored, { type: files.dtype ?? "F32" });
  });
}

function textFiles({ config, dtype = "F32", ...files }: ModelFiles, where: string): Map<string, string> {
  const configText = decoderConfigText(config, typeNames[dtype]);
  const { bos_token_id, eos_token_id, pad_token_id } = JSON.parse(configText) as Record<string, unknown>;
  const specialTokens = Object.entries({ bos_token_id, eos_token_id, pad_token_id }).filter(([, id]) => id !== null);
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const texts = new Map([
    ["config.json", configText],
    ["generation_config.json", json(Object.fromEntries(specialTokens))],
    ["README.md", files.card],
  ]);
  for (const [name, text] of Object.entries(files.tokenizerFiles)) {
    if (name !== basename(name) || name.startsWith(".") || texts.has(name) || name === "model.safetensors") {
      throw new UserError("invalid-file-name", `a tokenizer file cannot be called ${JSON.stringify(name)}`, { where });
    }
    texts.set(name, text);
  }
  return texts;
}
