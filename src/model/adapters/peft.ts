import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../../system/errors.ts";
import type { Decoder } from "../decoder.ts";
import { show } from "../fields.ts";
import type { DecoderConfig } from "../config.ts";
import { moduleName } from "../families/index.ts";
import { projectionsOf, type ProjectionName } from "../projections.ts";
import { readStored, type StoredTensor } from "../weights/encoding.ts";
import { openFile } from "../weights/file.ts";
import { writeSafetensors, type SavedType } from "../weights/index.ts";
import { readJson } from "../weights/read-json.ts";
import { readSafetensorsHeader } from "../weights/safetensors.ts";
import { writeWholeFolder } from "../weights/whole-folder.ts";
import { adapterFrom, matrixName, type Adapted, type Adapter } from "./lora.ts";
import { parsePeftConfig, peftConfigText, type PeftConfig } from "./peft-config.ts";
import { tensorsOf } from "../saved-values.ts";

export const files = {
  config: "adapter_config.json",
  matrices: "adapter_model.safetensors",
  card: "README.md",
} as const;

/**
 * Writes the adapter of a model as a PEFT folder; an earlier one is replaced only when the new one is complete.
 * @param card text of its `README.md`: what it is, for which model and by which command it was made
 * @param baseModel what PEFT shall load below it; without, whoever loads the adapter must know
 * @param dtype number format of the matrices (default float32; others round)
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
  { adapter, config }: Decoder & Adapted,
  folder: string,
  { card, baseModel, dtype = "float32" }: { card: string; baseModel?: string; dtype?: SavedType },
): Promise<void> {
  const text = peftConfigText(adapter.settings, { layers: config.layers, baseModel });
  const tensors = tensorsOf(adapter.parameters);
  await writeWholeFolder(folder, Object.values(files), async (temporary) => {
    await writeFile(join(temporary, files.config), text);
    await writeFile(join(temporary, files.card), card);
    await writeSafetensors(join(temporary, files.matrices), tensors, { type: dtype });
  });
}

/**
 * Loads a LoRA adapter from a PEFT folder, for a model of the shape that it was trained on (which is only looked at).
 * @param seed names the random stream of its dropout, if it is trained on
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
  { seed = 0 }: { seed?: number } = {},
): Promise<Adapter> {
  await requireAdapterFiles(folder);
  const configPath = join(folder, files.config);
  const { targets, baseModel, ...config } = parsePeftConfig(await readJson(configPath), configPath);
  const file = await openFile(join(folder, files.matrices));
  try {
    const tensors = await readSafetensorsHeader(file);
    const changed = changedPlaces(tensors.keys(), targets, model.config, file.path);
    const adapter = await adapterFrom(model, { ...config, ...changed, seed }, (matrix, shape, place) => {
      const name = matrixName(model.config, place, matrix);
      return readStored(file, requireShaped(name, tensors.get(name), shape, file.path));
    });
    return { ...adapter, ...(baseModel !== undefined && { baseModel }) };
  } finally {
    await file.close();
  }
}

const adapterWanted = "Name the folder of an adapter saved by PEFT or saveAdapter.";

export async function requireAdapterFiles(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === "ENOTDIR")
      throw new UserError("not-a-folder", "this is a file, not the folder of an adapter", {
        where: folder,
        fix: adapterWanted,
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

const matrixPattern = /^base_model\.model\.(.{1,200})\.lora_[AB]\.weight$/;

/** Layers and projections that have matrices. Whether all of them have both is seen when they are read. */
function changedPlaces(
  names: Iterable<string>,
  targets: PeftConfig["targets"],
  config: DecoderConfig,
  where: string,
): { layers: number[]; projections: ProjectionName[] } {
  const layers = new Set<number>();
  const projections = new Set<ProjectionName>();
  const places = placesOf(config);
  for (const name of names) {
    const module = matrixPattern.exec(name)?.[1] ?? "";
    const place = places.get(module);
    if (place === undefined)
      throw new UserError("unsupported-adapter", `${show(name)} has no place in a LoRA adapter of this architecture`, {
        where,
        fix: `Supported are the projections ${projectionsOf(config).join(", ")} of a layer.`,
      });
    if (!targets(module))
      throw new UserError("invalid-adapter", `${files.config} does not name ${module} among its target_modules`, {
        where,
        fix: "The two files belong to different adapters.",
      });
    layers.add(place.layer);
    projections.add(place.projection);
  }
  if (layers.size === 0) throw new UserError("invalid-adapter", "there are no matrices in this file", { where });
  return { layers: [...layers], projections: [...projections] };
}

/** Where an adapter may stand, by the module's name. */
function placesOf(config: DecoderConfig): Map<string, { layer: number; projection: ProjectionName }> {
  const places = new Map<string, { layer: number; projection: ProjectionName }>();
  for (let layer = 0; layer < config.layers; layer++)
    for (const projection of projectionsOf(config))
      places.set(moduleName(config, layer, projection), { layer, projection });
  return places;
}

function requireShaped(
  name: string,
  tensor: StoredTensor | undefined,
  shape: readonly [number, number],
  where: string,
): StoredTensor {
  if (tensor === undefined)
    throw new UserError("missing-tensor", `${name} is missing`, {
      where,
      fix: "Adapters must change the same projections in each layer that they change.",
    });
  if (tensor.shape.join() === shape.join()) return tensor;
  throw new UserError(
    "wrong-shape",
    `${name} has the shape [${tensor.shape.join(", ")}], expected [${shape.join(", ")}]`,
    {
      where,
      fix: "The adapter belongs to another model, or its configuration to another adapter.",
    },
  );
}
