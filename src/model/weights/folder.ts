import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import type { DecoderConfig } from "../config.ts";
import { parseDecoderConfig } from "../config-file.ts";
import { parseSpecialTokens } from "../families/config-keys.ts";
import { familyOf } from "../families/index.ts";
import { readFields, show } from "../fields.ts";
import { checkTensors } from "./check-tensors.ts";
import { heldAs, readStored, readWeights, requireFinite, storedWeight, type StoredTensor } from "./encoding.ts";
import { openFile, type RandomAccessFile } from "./file.ts";
import { fingerprint, type LocatedTensor } from "./fingerprint.ts";
import { turnedValues, turnedWeights } from "./orientation.ts";
import { savedTypesOf, type Origin } from "./origin.ts";
import { parseJson, readJson, readJsonBytes } from "./read-json.ts";
import { readSafetensorsHeader } from "./safetensors.ts";
import type { WeightSource } from "./source.ts";

const mostShards = 10_000;

/**
 * Opens a model folder in Hugging Face layout: `config.json` and `model.safetensors`, or shards with
 * `model.safetensors.index.json`.
 */
export async function openFolder(folder: string): Promise<WeightSource> {
  const entries = new Set(await readdir(folder).catch(unreadable(folder)));
  await requireModelFiles(folder, entries);
  const said = await readConfig(folder, entries);
  const { config } = said;
  const files: RandomAccessFile[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    const tensors = entries.has("model.safetensors")
      ? await openShards(folder, ["model.safetensors"], files)
      : await openIndexed(folder, files);
    renameTensors(config, tensors, folder);
    await dropRedundant(config, tensors, folder);
    const turned = turnedWeights(config);
    const shapeOf = (name: string, { shape }: StoredTensor): number[] =>
      turned.has(name) ? shape.toReversed() : [...shape];
    checkTensors(config, new Map([...tensors].map(([name, { tensor }]) => [name, shapeOf(name, tensor)])), folder);
    const locate = (name: string): LocatedTensor => {
      const located = tensors.get(name);
      if (located === undefined)
        throw new UserError("missing-tensor", `there is no tensor ${show(name)}`, { where: folder });
      return located;
    };
    return {
      config,
      format: "safetensors",
      names: () => [...tensors.keys()],
      shape: (name) => shapeOf(name, locate(name).tensor),
      async read(name) {
        const { file, tensor } = locate(name);
        const values = await readWeights(file, tensor);
        return turned.has(name) ? turnedValues(values, tensor.shape) : values;
      },
      stored(name) {
        const { file, tensor } = locate(name);
        return turned.has(name) ? undefined : storedWeight(file, tensor);
      },
      async checkStored(name) {
        const { file, tensor } = locate(name);
        await requireFinite(file, tensor);
      },
      held: (name) => heldAs(locate(name).tensor),
      fingerprint: await fingerprint(config, tensors),
      origin: { types: savedTypesOf([...tensors].map(([name, { tensor }]) => [name, tensor.encoding])), ...said },
      requireUnchanged: () => files.forEach((file) => file.requireUnchanged()),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const unreadable =
  (folder: string) =>
  (cause: unknown): never => {
    throw new UserError("unreadable", "this folder cannot be read", {
      where: folder,
      fix: "Check its permissions.",
      cause,
    });
  };

async function requireModelFiles(folder: string, entries: ReadonlySet<string>): Promise<void> {
  const list = [...entries];
  const hasWeights = entries.has("model.safetensors") || entries.has("model.safetensors.index.json");
  if (entries.has("config.json") && hasWeights) return;
  const fail = (what: string, fix: string): never => {
    throw new UserError("missing-model", what, { where: folder, fix });
  };
  if (entries.has("adapter_config.json")) {
    fail("this folder holds only an adapter (adapter_config.json)", await mergeHint(folder));
  }
  const gguf = list.find((name) => name.toLowerCase().endsWith(".gguf"));
  if (gguf !== undefined) fail("this folder is not in Hugging Face layout", `Name the file: ${join(folder, gguf)}`);
  if (list.some((name) => /^pytorch_model.*\.bin$/.test(name))) {
    fail(
      "the weights are pickled (pytorch_model.bin), which cannot be read safely",
      `Convert them: python -c "from transformers import AutoModelForCausalLM as M; ` +
        `M.from_pretrained('${folder}').save_pretrained('${folder}')"`,
    );
  }
  if (!entries.has("config.json")) fail("there is no config.json in this folder", "Name a model folder or .gguf file.");
  fail("there is no model.safetensors in this folder", "Fetch the weights, too, or name the folder that has them.");
}

/** What to name in the place of an adapter's folder. */
async function mergeHint(folder: string): Promise<string> {
  const merged = join(dirname(resolve(folder)), "model");
  if (await isFile(join(merged, "config.json"))) return `Name the model into which it was merged: ${merged}`;
  const config = await readJson(join(folder, "adapter_config.json")).catch(() => undefined);
  const base = isRecord(config) ? config["base_model_name_or_path"] : undefined;
  const named = typeof base === "string" && base !== "" ? ` (${show(base)})` : "";
  return `Name its base model${named}, or that with the adapter merged into it (peft: merge_and_unload).`;
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (entry) => entry.isFile(),
    () => false,
  );

async function readConfig(folder: string, entries: ReadonlySet<string>): Promise<Omit<Origin, "types">> {
  const path = join(folder, "config.json");
  const bytes = await readJsonBytes(path);
  const config = parseDecoderConfig(parseJson(bytes, path), path);
  const configText = new TextDecoder().decode(bytes);
  if (!entries.has("generation_config.json")) return { config, configText };
  // What ends generation is said by generation_config.json where there is one (chat models often only there).
  const generationPath = join(folder, "generation_config.json");
  const generationConfig = await readJsonBytes(generationPath);
  const generation = readFields(parseJson(generationConfig, generationPath), generationPath);
  const isSilent = generation.raw("eos_token_id") === undefined;
  const ends = isSilent ? {} : { endOfText: parseSpecialTokens(generation, generationPath).endOfText };
  return { config: { ...config, ...ends }, configText, generationConfig };
}

/** Opens files of one folder and locates their tensors; `files` receives what was opened, also on failure. */
async function openShards(
  folder: string,
  names: string[],
  files: RandomAccessFile[],
): Promise<Map<string, LocatedTensor>> {
  const tensors = new Map<string, LocatedTensor>();
  for (const name of names) {
    const file = await openFile(join(folder, name));
    files.push(file);
    for (const [tensorName, tensor] of await readSafetensorsHeader(file)) {
      if (tensors.has(tensorName)) {
        throw new UserError("repeated-tensor", `tensor ${show(tensorName)} is in two shards, also in ${name}`, {
          where: folder,
        });
      }
      tensors.set(tensorName, { tensor, file });
    }
  }
  return tensors;
}

async function openIndexed(folder: string, files: RandomAccessFile[]): Promise<Map<string, LocatedTensor>> {
  const where = join(folder, "model.safetensors.index.json");
  const json = await readJson(where);
  const weightMap = isRecord(json) ? json["weight_map"] : undefined;
  if (!isRecord(weightMap)) throw new UserError("damaged-file", "the key weight_map is missing", { where });
  const shards = new Set<string>();
  for (const [name, shard] of Object.entries(weightMap)) {
    const plain = typeof shard === "string" && shard === basename(shard) && /^[^\\\0]+\.safetensors$/.test(shard);
    if (!plain) {
      throw new UserError(
        "invalid-file-name",
        `${show(name)} is said to be in ${show(shard)}, which is not a plain .safetensors file name`,
        { where, fix: "Shards must lie in the folder itself." },
      );
    }
    shards.add(shard);
  }
  if (shards.size > mostShards) throw new UserError("too-large", `${shards.size} shards are too many`, { where });
  const tensors = await openShards(folder, [...shards].sort(), files);
  for (const [name, shard] of Object.entries(weightMap)) {
    const found = tensors.get(name);
    if (found === undefined || basename(found.file.path) !== shard) {
      throw new UserError("missing-tensor", `${show(name)} is not in ${show(shard)}`, {
        where,
        fix: "Fetch the shards and index again.",
      });
    }
  }
  return tensors;
}

/** Gives tensors of older files the names that they have today. */
function renameTensors(config: DecoderConfig, tensors: Map<string, LocatedTensor>, folder: string): void {
  const { renamed } = familyOf(config).layout;
  if (renamed === undefined) return;
  for (const [name, located] of [...tensors]) {
    const today = renamed(name);
    if (today === name) continue;
    tensors.delete(name);
    if (today === undefined) continue;
    if (tensors.has(today))
      throw new UserError("repeated-tensor", `two tensors stand for ${show(today)}, one of them ${show(name)}`, {
        where: folder,
      });
    tensors.set(today, located);
  }
}

/** Forgets tensors that carry nothing of their own: saved rotation frequencies, and a copy of a tied embedding. */
async function dropRedundant(
  config: DecoderConfig,
  tensors: Map<string, LocatedTensor>,
  folder: string,
): Promise<void> {
  for (const name of tensors.keys()) if (name.endsWith(".rotary_emb.inv_freq")) tensors.delete(name);
  const { layout } = familyOf(config);
  const [headName, embeddingName] = [`${layout.head}.weight`, `${layout.embedding}.weight`];
  const [head, embedding] = [tensors.get(headName), tensors.get(embeddingName)];
  if (!config.tiedOutput || head === undefined || embedding === undefined) return;
  const [a, b] = [await readStored(head.file, head.tensor), await readStored(embedding.file, embedding.tensor)];
  if (a.length !== b.length || a.some((value, i) => value !== b[i])) {
    throw new UserError(
      "invalid-model-config",
      `config.json ties the output to the embedding, but ${headName} differs from it`,
      { where: folder, fix: `Set tie_word_embeddings to false in config.json to use ${headName}.` },
    );
  }
  tensors.delete(headName);
}
