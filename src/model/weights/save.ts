import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UserError } from "../../system/errors.ts";
import { isTokenizerFile } from "../../text/tokenizer-files.ts";
import type { DecoderConfig } from "../config.ts";
import { carriedConfigText, carriedGenerationConfig } from "./carried-files.ts";
import { checkTensors } from "./check-tensors.ts";
import { turnedTensors } from "./orientation.ts";
import type { Origin } from "./origin.ts";
import { writeSafetensors, type TensorToSave } from "./safetensors-write.ts";
import { commonType, type SavedType } from "./saved-type.ts";
import { indexFile, indexText, isWeightFile, sizeInBytes, shardsOf, usualShardSize } from "./shards.ts";
import { requireReplaceable, writeWholeFolder } from "./whole-folder.ts";

/** In which numbers weights are written, and in how many files. */
export interface WeightsFormat {
  /**
   * Number format of the weights: `as-read` (default) is that in which each tensor came, and float32 for those that came
   * quantized or did not come from files. `bfloat16` and `float16` round to the nearest, ties to even.
   */
  dtype?: "as-read" | SavedType;
  /** Largest file of weights: "5GB" (units of 1,000) or bytes. Default "50GB", as in transformers 5. */
  shardSize?: string | number;
}

/** What a model folder is made of. */
export interface ModelFiles extends WeightsFormat {
  config: DecoderConfig;
  /** All tensors of the decoder under their Hugging Face names. */
  tensors: Iterable<TensorToSave>;
  /** Contents by path below the folder, for example `tokenizer.json`. */
  tokenizerFiles: Readonly<Record<string, Uint8Array>>;
  /** Text of `README.md`. */
  card: string;
  /** How the model came, if it came from files. */
  origin?: Origin | undefined;
  /** Called before each tensor is written; may throw to end the writing. */
  check?: () => void | Promise<void>;
  /** Told of each file of weights, by its name in the folder, what was written. */
  onDigest?: (file: string, digest: { readonly bytes: number; readonly sha256: string }) => void;
}

/** The format in which a tensor is written. */
export function typeToSave(
  name: string,
  { dtype = "as-read", origin }: Pick<ModelFiles, "dtype" | "origin">,
): SavedType {
  return dtype === "as-read" ? (origin?.types.get(name) ?? "float32") : dtype;
}

/**
 * Writes a model folder in Hugging Face layout. It is built beside `folder` and takes its place when complete: a failure
 * leaves nothing new, and what was there stays. A folder is only replaced if it holds nothing but files of a model.
 * @throws UserError if tensors do not match the configuration, a number is too large for its format, or the folder holds
 * other files
 */
export async function saveModelFiles(folder: string, files: ModelFiles): Promise<void> {
  const tensors = [...files.tensors].map((tensor) => ({ ...tensor, type: typeToSave(tensor.name, files) }));
  checkTensors(files.config, new Map(tensors.map(({ name, shape }) => [name, shape])), folder);
  const stored = turnedTensors(files.config, tensors);
  const shards = shardsOf(stored, sizeInBytes(files.shardSize ?? usualShardSize));
  const others = otherFiles(files, commonType(tensors.map(({ type }) => type)), folder);
  if (shards.length > 1) others.set(indexFile, indexText(shards));
  await writeWholeFolder(
    folder,
    (path) => others.has(path) || isOfModel(path),
    async (temporary) => {
      for (const [name, content] of others) {
        await mkdir(dirname(join(temporary, name)), { recursive: true });
        await writeFile(join(temporary, name), content);
      }
      for (const { file, tensors } of shards)
        await writeSafetensors(join(temporary, file), checking(tensors, files.check), {
          onDigest: files.onDigest && ((digest) => files.onDigest?.(file, digest)),
        });
    },
  );
}

/**
 * Checks that a model can be saved in a folder, before it is made. Writes nothing.
 * @throws UserError as `saveModelFiles`
 */
export async function requireModelFolder(folder: string): Promise<void> {
  await requireReplaceable(folder, isOfModel);
}

function isOfModel(path: string): boolean {
  return (
    ["config.json", "generation_config.json", "README.md"].includes(path) || isWeightFile(path) || isTokenizerFile(path)
  );
}

function checking(tensors: readonly TensorToSave[], check: ModelFiles["check"]): readonly TensorToSave[] {
  if (check === undefined) return tensors;
  return tensors.map((tensor) => ({
    ...tensor,
    values: async () => {
      await check();
      return typeof tensor.values === "function" ? tensor.values() : tensor.values;
    },
  }));
}

/** Everything but the weights. */
function otherFiles(files: ModelFiles, type: SavedType, where: string): Map<string, string | Uint8Array> {
  const { config, origin } = files;
  const configText = carriedConfigText(config, type, origin);
  const contents = new Map<string, string | Uint8Array>([
    ["config.json", configText],
    ["generation_config.json", carriedGenerationConfig(config, configText, origin)],
    ["README.md", files.card],
  ]);
  for (const [path, content] of Object.entries(files.tokenizerFiles)) {
    const isPlain = path === basename(path) && !path.startsWith(".");
    if (contents.has(path) || isWeightFile(path) || !(isPlain || isTokenizerFile(path)))
      throw new UserError("invalid-file-name", `a tokenizer file cannot be called ${JSON.stringify(path)}`, { where });
    contents.set(path, content);
  }
  return contents;
}
