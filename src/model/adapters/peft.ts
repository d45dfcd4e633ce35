import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../system/errors.ts";
import { optional } from "../../system/optional.ts";
import { downloadHint } from "../../system/hub-id.ts";
import { readSmallFile } from "../../text/tokenizer-files.ts";
import type { Decoder } from "../decoder.ts";
import type { DecoderConfig } from "../config.ts";
import type { ModelFiles } from "../weights/save.ts";
import { assignSaved, tensorsOf } from "../saved-values.ts";
import { keepOpen } from "../weights/file.ts";
import { writeSafetensors, type SavedType } from "../weights/index.ts";
import { readJson } from "../weights/read-json.ts";
import { readSafetensors } from "../weights/safetensors.ts";
import { writeWholeFolder } from "../weights/whole-folder.ts";
import { turnedTensors, turnedValues, turnedWeights } from "../weights/orientation.ts";
import type { TensorToSave } from "../weights/safetensors-write.ts";
import { openTensorFile } from "../weights/tensor-file.ts";
import { adapterFrom, modulePrefix, type Adapter } from "./lora.ts";
import { parsePeftConfig, peftConfigText } from "./peft-config.ts";
import { optionsOf, tensorReader, type AdapterFiles } from "./peft-tensors.ts";
import type { Adapted } from "./with-adapter.ts";

export const files = {
  config: "adapter_config.json",
  matrices: "adapter_model.safetensors",
  card: "README.md",
  template: "chat_template.jinja",
} as const;

/** The files by which an adapter is what it is. */
export const adapterFiles = [files.config, files.matrices] as const;

/** In the metadata of the matrices: the fingerprint of the model below them. */
const baseKey = "base_fingerprint";

/**
 * Writes the adapter of a model as a PEFT folder; an earlier one is replaced only when the new one is complete.
 * @param card text of its `README.md`: what it is, for which model and by which command it was made
 * @param baseModel what PEFT shall load below it, a name on a hub. Default: the adapter's; where it has none, whoever loads
 *     the adapter must say
 * @param dtype number format of the matrices (default float32; others round)
 * @param onDigest told how many bytes of matrices were written, and their sha-256
 * @param chatTemplate written as `chat_template.jinja`, where it was trained with another one than the model below has
 * @throws UserError if the folder holds other files or cannot be written
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createAdapter, loadAdapter, loadModel, saveAdapter, withAdapter } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const trunk = await loadModel("models/tiny");
 * const model = withAdapter(trunk, await createAdapter(trunk, { rank: 4 }));
 * await saveAdapter(model, "saved-adapter", { card: "Untrained.", baseModel: "models/tiny" });
 * (await loadAdapter("saved-adapter", trunk)).settings.rank; //=> 4
 * releaseEngine();
 */
export async function saveAdapter(
  { adapter, config, trunk }: Decoder & Adapted<Decoder & { fingerprint?: string }>,
  folder: string,
  {
    card,
    baseModel = portableBase(adapter),
    dtype = "float32",
    chatTemplate,
    onDigest,
  }: {
    card: string;
    baseModel?: string | undefined;
    dtype?: SavedType;
    chatTemplate?: string | undefined;
    onDigest?: ModelFiles["onDigest"];
  },
): Promise<void> {
  const text = peftConfigText(adapter.settings, { config, baseModel });
  const tensors = asInFile(config, tensorsOf(adapter.parameters));
  await writeWholeFolder(folder, Object.values(files), async (temporary) => {
    await writeFile(join(temporary, files.config), text);
    await writeFile(join(temporary, files.card), card);
    if (chatTemplate !== undefined) await writeFile(join(temporary, files.template), chatTemplate);
    const metadata = { format: "pt", ...(trunk.fingerprint !== undefined && { [baseKey]: trunk.fingerprint }) };
    await writeSafetensors(join(temporary, files.matrices), tensors, {
      ...{ type: dtype, metadata },
      onDigest: onDigest && ((digest) => onDigest(files.matrices, digest)),
    });
  });
}

/**
 * Loads a LoRA adapter from a PEFT folder, for a model of the shape that it was trained on (which is only looked at).
 * @param seed names the random stream of its dropout, if it is trained on
 * @param dropout if it is trained on with another one than it says
 * @throws UserError if the folder holds no such adapter, or one that this library would compute differently
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createAdapter, loadAdapter, loadModel, saveAdapter, withAdapter } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const trunk = await loadModel("models/tiny");
 * const trained = withAdapter(trunk, await createAdapter(trunk, { rank: 4 }));
 * await saveAdapter(trained, "my-adapter", { card: "Untrained.", baseModel: "models/tiny" });
 *
 * const model = withAdapter(trunk, await loadAdapter("my-adapter", trunk));
 * model.adapter.baseModel; //=> "models/tiny"
 * releaseEngine();
 */
export async function loadAdapter(
  folder: string,
  model: Decoder,
  { seed = 0, dropout }: { seed?: number; dropout?: number | undefined } = {},
): Promise<Adapter> {
  return openAdapterFiles(folder, async (opened) => {
    const options = await optionsOf(opened, model);
    const settings = { ...options, seed, ...(dropout !== undefined && { dropout }) };
    const readerOf = tensorReader(opened, model.config);
    const adapter = await adapterFrom(model, settings, (tensor) => readerOf(tensor)());
    await opened.file.close();
    return { ...adapter, ...baseOf(opened) };
  });
}

/** What `use` makes of an adapter's files, and closes in the end. Where `use` throws, they are closed. */
export async function openAdapterFiles<T>(folder: string, use: (opened: AdapterFiles) => Promise<T>): Promise<T> {
  await requireAdapterFiles(folder);
  const configPath = join(folder, files.config);
  const config = parsePeftConfig(await readJson(configPath), configPath);
  return keepOpen(join(folder, files.matrices), async (file) =>
    use({ config, configPath, file, ...(await readSafetensors(file)) }),
  );
}

/** The chat template beside an adapter, if there is one. */
export function adapterTemplate(folder: string): string | undefined {
  const bytes = readSmallFile(join(folder, files.template));
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** What an adapter's files say of the model below it. */
export function baseOf({
  config,
  metadata,
}: Pick<AdapterFiles, "config" | "metadata">): Pick<Adapter, "baseModel" | "baseFingerprint"> {
  return optional({ baseModel: config.baseModel, baseFingerprint: metadata.get(baseKey) });
}

/** The tensors as PEFT's file holds them: weights that the family holds the other way round are turned. */
function asInFile(config: DecoderConfig, tensors: readonly TensorToSave[]): TensorToSave[] {
  const own = tensors.map((tensor) => ({ ...tensor, name: tensor.name.slice(modulePrefix.length) }));
  return turnedTensors(config, own).map((tensor) => ({ ...tensor, name: modulePrefix + tensor.name }));
}

/**
 * Puts the values that `saveAdapter` wrote back into the adapter of a model.
 * @throws UserError for a tensor that is missing or of another size
 */
export async function restoreAdapter(folder: string, { adapter, config }: Decoder & Adapted): Promise<void> {
  const saved = await openTensorFile(join(folder, files.matrices));
  const turned = turnedWeights(config);
  try {
    for (const { name, variable } of adapter.parameters) {
      const values = await saved.read(name);
      const isTurned = turned.has(name.slice(modulePrefix.length)) && values?.length === variable.size;
      assignSaved(variable, isTurned ? turnedValues(values!, variable.shape.toReversed()) : values, name);
    }
  } finally {
    await saved.close();
  }
}

/** The base model that an adapter names, if that is a name on a hub: a path of this machine is none elsewhere. */
export function portableBase({ baseModel }: Pick<Adapter, "baseModel">): string | undefined {
  return baseModel !== undefined && downloadHint(baseModel, "model") !== undefined ? baseModel : undefined;
}

const adapterWanted = "Name the folder of an adapter saved by PEFT or saveAdapter.";

async function requireAdapterFiles(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((cause: unknown) => {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOTDIR")
      throw new UserError("not-a-folder", "this is a file, not the folder of an adapter", {
        where: folder,
        fix: adapterWanted,
        cause,
      });
    if (code === "ENOENT")
      throw new UserError("missing-file", "there is no adapter here", {
        where: folder,
        fix: downloadHint(folder, "model") ?? adapterWanted,
        cause,
      });
    throw new UserError("unreadable", "this folder cannot be read", { where: folder, fix: "Check the path.", cause });
  });
  if (entries.includes(files.config) && entries.includes(files.matrices)) return;
  const missing = entries.includes(files.config) ? files.matrices : files.config;
  if (missing === files.config && entries.includes("config.json"))
    throw new UserError("not-an-adapter", "this folder holds a whole model, not an adapter", {
      where: folder,
      fix: "Use it as the model itself, or name the folder of the adapter alone.",
    });
  const pickled = missing === files.matrices && entries.includes("adapter_model.bin");
  throw new UserError("missing-file", `there is no ${missing} in this folder`, {
    where: folder,
    fix: pickled
      ? "The matrices are pickled, which cannot be read safely: load and save the adapter with a newer PEFT."
      : adapterWanted,
  });
}
