import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseBoundedJson } from "../../system/bounded-json.ts";
import { UserError } from "../../system/errors.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { openTensorFile } from "../../model/weights/tensor-file.ts";
import { writeSafetensors } from "../../model/weights/safetensors-write.ts";
import type { Decoder } from "../../model/decoder.ts";
import { writeWholeFolder } from "../../model/weights/whole-folder.ts";
import { resolveUse, type GateUse, type ResolvedUse } from "./use.ts";
import { gatesFrom, type GateNetwork } from "./network.ts";
import { resolveGateNetwork, type GateNetworkOptions } from "./options.ts";
import { tensorsOf } from "../../model/saved-values.ts";
import { isWeightSample, sampleWeights, type Sampled, type WeightSample } from "../../model/weight-sample.ts";

const files = { settings: "gates.json", values: "gates.safetensors", card: "README.md" } as const;
const largestSettings = 1 << 16;

interface SavedSettings {
  format: "tokensift gates";
  /** 2 where earlier releases would not know how to use them: they read keys and values, or keep a budget. */
  version: 1 | 2;
  settings: GateNetworkOptions;
  /** How they decided in training. Earlier releases did not write it; a reader that does not know it may ignore it. */
  use?: GateUse;
  /** See `SavedGates`. */
  modelBefore?: string;
  /** By which the model is known again. Earlier releases did not write it; a reader that does not know it may ignore it. */
  sample?: WeightSample;
  /** What the model's shape must be. */
  model: { layers: number; width: number; keyValueHeads: number };
}

/** Gates with how they decided in training. */
export interface SavedGates extends GateNetwork {
  readonly use: ResolvedUse;
  /**
   * Fingerprint of the model before it, or an adapter over it, was trained together with the gates: in front of that
   * model they are wrong. Absent where the gates alone were trained.
   */
  readonly modelBefore?: string;
  /** Of the model that they were trained in front of, where it was saved. */
  readonly sample?: WeightSample;
}

/**
 * Writes gates as a folder: `gates.json` (settings), `gates.safetensors` (values), `README.md`. An earlier one is
 * replaced only when the new one is complete.
 * @param trained the model that they were trained in front of; where it has its weights, a few numbers of them are saved, by
 * which it is known again
 * @param card text of its `README.md`: what it is, for which model and by which command it was made
 * @param use how they decided in training, for whoever loads them; default: the defaults of `gatedPass`
 * @param modelBefore fingerprint of the model before it, or an adapter over it, was trained together with the gates
 * @throws UserError if the folder holds other files or cannot be written
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createGates, loadGates, saveGates } from "tokensift/eviction/gates";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const gates = await createGates(model, { kind: "linear" });
 * await saveGates(gates, model, "saved-gates", { card: "Untrained.", use: { window: 8 } });
 * (await loadGates("saved-gates", model)).use.window; //=> 8
 * releaseEngine();
 */
export async function saveGates(
  { settings, parameters, constants }: GateNetwork,
  trained: Pick<Decoder, "config"> & Partial<Sampled>,
  folder: string,
  { card, use = {}, modelBefore }: { card: string; use?: GateUse; modelBefore?: string },
): Promise<void> {
  const { layers, width, keyValueHeads } = trained.config;
  const model = { layers, width, keyValueHeads };
  const known = resolveUse(use);
  const { embedding } = trained;
  const sample = embedding && (await sampleWeights({ ...trained, embedding }));
  const saved: SavedSettings = {
    format: "tokensift gates",
    version: settings.input === "hidden" && known.ratio === undefined ? 1 : 2,
    ...{ settings, use: known },
    ...(modelBefore !== undefined && { modelBefore }),
    ...(sample && { sample }),
    model,
  };
  const tensors = tensorsOf([...parameters, ...constants]);
  await writeWholeFolder(folder, Object.values(files), async (temporary) => {
    await writeFile(join(temporary, files.settings), `${JSON.stringify(saved, null, 2)}\n`);
    await writeFile(join(temporary, files.card), card);
    await writeSafetensors(join(temporary, files.values), tensors);
  });
}

/**
 * Loads gates that `saveGates` wrote, for a model of the shape that they were trained on.
 * @throws UserError if the folder holds none, or they are for a model of another shape
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createGates, loadGates, saveGates } from "tokensift/eviction/gates";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * await saveGates(await createGates(model, { kind: "linear" }), model, "my-gates", { card: "Untrained." });
 *
 * const gates = await loadGates("my-gates", model);
 * gates.settings.kind; //=> "linear"
 * releaseEngine();
 */
export async function loadGates(folder: string, model: Pick<Decoder, "config">): Promise<SavedGates> {
  const path = join(folder, files.settings);
  const { settings, use: given, modelBefore, sample, model: shape } = await readSettings(path);
  for (const key of ["layers", "width", "keyValueHeads"] as const) {
    if (shape?.[key] !== model.config[key])
      throw new UserError(
        "model-mismatch",
        `the gates are for ${key} ${shape?.[key]}, the model has ${model.config[key]}`,
        {
          where: path,
          fix: "Use the gates with the model that they were trained on.",
        },
      );
  }
  if (sample !== undefined && !isWeightSample(sample))
    throw new UserError("damaged-file", "its sample is not one of weights", {
      where: path,
      fix: "Put the file back from a copy, or take the key out: the gates then go with any model of their shape.",
    });
  const known = resolveGateNetwork(settings, model.config);
  const use = resolveUse(given, path);
  const file = await openTensorFile(join(folder, files.values));
  try {
    const gates = await gatesFrom(model, known, async (name, shape) => {
      const values = await file.read(name);
      if (values?.length === sizeOf(shape)) return values;
      throw new UserError("damaged-file", `it has no usable ${name}`, {
        where: join(folder, files.values),
        fix: "The file is damaged, or belongs to other gates.",
      });
    });
    return { ...gates, use, ...(typeof modelBefore === "string" && { modelBefore }), ...(sample && { sample }) };
  } finally {
    await file.close();
  }
}

async function readSettings(path: string): Promise<Partial<SavedSettings> & Pick<SavedSettings, "settings">> {
  let saved: Partial<SavedSettings> | null;
  try {
    const text = await readFile(path, "utf8");
    if (text.length > largestSettings) throw new Error("too large");
    saved = parseBoundedJson(text, { uniqueKeys: true }) as Partial<SavedSettings> | null;
  } catch (cause) {
    const fix = "Name the folder gates/ of a run.";
    throw new UserError("unreadable", "there are no gates that could be read", { where: path, fix, cause });
  }
  const { settings } = saved ?? {};
  if (
    saved?.format !== "tokensift gates" ||
    ![1, 2].includes(saved.version!) ||
    typeof settings !== "object" ||
    settings === null
  )
    throw new UserError("unsupported-file", "this is not the settings file of gates of this version", { where: path });
  return { ...saved, settings };
}
