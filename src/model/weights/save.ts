import { randomUUID } from "node:crypto";
import { readdir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../../errors.ts";
import { makeFolder } from "../../make-folder.ts";
import { decoderConfigText, type DecoderConfig } from "../config.ts";
import { checkTensors } from "./llama-tensors.ts";
import { writeSafetensors, type SavedType, type TensorToSave } from "./safetensors-write.ts";

/** What a model folder is made of. */
export interface ModelFiles {
  config: DecoderConfig;
  /** All tensors of the decoder under their Hugging Face names. */
  tensors: Iterable<TensorToSave>;
  /** Contents by file name, for example `tokenizer.json`. */
  tokenizerFiles: Record<string, string>;
  /** Keys of `generation_config.json` beyond the special tokens. */
  generationConfig?: Record<string, unknown>;
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
  const target = resolve(folder);
  const tensors = [...files.tensors];
  checkTensors(files.config, new Map(tensors.map(({ name, shape }) => [name, shape])), folder);
  const texts = textFiles(files, folder);
  await requireReplaceable(target, new Set([...texts.keys(), "model.safetensors"]));

  const temporary = sibling(target);
  try {
    makeFolder(temporary);
  } catch (cause) {
    throw new UserError("no folder can be made here", { where: dirname(target), fix: "Check its permissions.", cause });
  }
  try {
    for (const [name, text] of texts) await writeFile(join(temporary, name), text);
    await writeSafetensors(join(temporary, "model.safetensors"), tensors, { type: files.dtype ?? "F32" });
    await replaceFolder(target, temporary);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function textFiles({ config, dtype = "F32", ...files }: ModelFiles, where: string): Map<string, string> {
  const configText = decoderConfigText(config, typeNames[dtype]);
  const { bos_token_id, eos_token_id, pad_token_id } = JSON.parse(configText) as Record<string, unknown>;
  const specialTokens = Object.entries({ bos_token_id, eos_token_id, pad_token_id }).filter(([, id]) => id !== null);
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const texts = new Map([
    ["config.json", configText],
    ["generation_config.json", json({ ...Object.fromEntries(specialTokens), ...files.generationConfig })],
    ["README.md", files.card],
  ]);
  for (const [name, text] of Object.entries(files.tokenizerFiles)) {
    if (name !== basename(name) || name.startsWith(".") || texts.has(name) || name === "model.safetensors") {
      throw new UserError(`a tokenizer file cannot be called ${JSON.stringify(name)}`, { where });
    }
    texts.set(name, text);
  }
  return texts;
}

async function requireReplaceable(target: string, names: ReadonlySet<string>): Promise<void> {
  const present = await entriesOf(target);
  const foreign = present.filter((name) => !names.has(name));
  if (foreign.length === 0) return;
  throw new UserError(`this folder holds files that are not part of the model: ${foreign.slice(0, 5).join(", ")}`, {
    where: target,
    fix: "Name a new folder, or empty this one.",
  });
}

async function entriesOf(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new UserError("the model cannot be saved here", { where: folder, fix: "Name a folder.", cause: error });
  });
}

/** A fresh hidden name beside a folder, on the same disk, so that renaming is one step. */
function sibling(folder: string): string {
  return join(dirname(folder), `.${basename(folder)}-${randomUUID().slice(0, 8)}`);
}

/** Puts `fresh` in the place of `target`, which is put back if that fails. */
async function replaceFolder(target: string, fresh: string): Promise<void> {
  await rmdir(target).catch(() => undefined); // an empty folder just goes
  const replaces = (await entriesOf(target)).length > 0;
  if (!replaces) return rename(fresh, target);
  const old = sibling(target);
  await rename(target, old);
  try {
    await rename(fresh, target);
  } catch (error) {
    await rename(old, target);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}
