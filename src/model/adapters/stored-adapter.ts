import { join } from "node:path";
import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { decoderTensors } from "../families/index.ts";
import { show } from "../fields.ts";
import { readStored, type StoredTensor } from "../weights/encoding.ts";
import { openFile } from "../weights/file.ts";
import { readJson } from "../weights/read-json.ts";
import { readSafetensorsHeader } from "../weights/safetensors.ts";
import type { WeightSource } from "../weights/source.ts";
import { scalingOf } from "./options.ts";
import { files, requireAdapterFiles } from "./peft.ts";
import { parsePeftConfig, type PeftConfig } from "./peft-config.ts";
import { patternValue } from "./targets.ts";

/** What an adapter does to one weight: it acts as `weight + scaling * b a`. */
export interface StoredChange {
  readonly rank: number;
  readonly scaling: number;
  /** `[rank, inputs]`, row-major. */
  a(): Promise<Float32Array>;
  /** `[outputs, rank]`, row-major. */
  b(): Promise<Float32Array>;
}

/** An adapter in a PEFT folder, read one matrix at a time and without an engine. Close it after use. */
export interface StoredAdapter {
  /** By the Hugging Face name of the weight. */
  readonly changes: ReadonlyMap<string, StoredChange>;
  /** The model that it was trained over: a path, or a name on a hub. */
  readonly baseModel?: string;
  close(): Promise<void>;
}

const matrixPattern = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/;

/**
 * @param config of the model that it lies over
 * @throws UserError if the folder holds no such adapter, or one that does not fit the model
 */
export async function openStoredAdapter(folder: string, config: DecoderConfig): Promise<StoredAdapter> {
  await requireAdapterFiles(folder);
  const configPath = join(folder, files.config);
  const { baseModel, settings } = parsePeftConfig(await readJson(configPath), configPath);
  requireSums(settings, configPath);
  const told = { where: configPath, code: "invalid-adapter" } as const;
  const file = await openFile(join(folder, files.matrices));
  try {
    const tensors = await readSafetensorsHeader(file);
    const shapes = decoderTensors(config);
    const changes = new Map<string, StoredChange>();
    for (const name of tensors.keys()) {
      const [, module] = matrixPattern.exec(name) ?? [];
      const shape = shapes.get(`${module}.weight`);
      if (module === undefined || shape?.length !== 2) throw noPlace(name, file.path);
      const matrix = (which: "A" | "B", wanted: readonly number[]): (() => Promise<Float32Array>) => {
        const own = `base_model.model.${module}.lora_${which}.weight`;
        const tensor = requireShaped(own, tensors.get(own), wanted, file.path);
        return () => readStored(file, tensor);
      };
      const rank = patternValue(settings.rankPattern, module, settings.rank, told);
      const alpha = patternValue(settings.alphaPattern, module, settings.alpha, told);
      const [a, b] = [matrix("A", [rank, shape[1]!]), matrix("B", [shape[0]!, rank])];
      changes.set(`${module}.weight`, { rank, scaling: scalingOf({ ...settings, rank, alpha }), a, b });
    }
    if (changes.size === 0) throw new UserError("invalid-adapter", "there are no matrices", { where: file.path });
    return { changes, ...(baseModel !== undefined && { baseModel }), close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** @throws UserError for an adapter that does more than add a product to some weights */
function requireSums({ dora, modulesToSave }: PeftConfig["settings"], where: string): void {
  const key = dora ? "use_dora" : modulesToSave.length > 0 ? "modules_to_save" : undefined;
  if (key === undefined) return;
  throw new UserError("unsupported-adapter", `${key} is set, which is not supported here`, {
    where,
    fix: "Merge the adapter first (tokensift merge), and use the merged model.",
  });
}

function noPlace(name: string, where: string): UserError {
  return new UserError("unsupported-adapter", `${show(name)} has no place in a LoRA adapter of this model`, {
    where,
    fix: "Use the adapter with the model that it was trained on. One that changes embeddings is merged first (tokensift merge).",
  });
}

function requireShaped(
  name: string,
  tensor: StoredTensor | undefined,
  shape: readonly number[],
  where: string,
): StoredTensor {
  if (tensor === undefined) throw new UserError("missing-tensor", `${name} is missing`, { where });
  if (tensor.shape.join() === shape.join()) return tensor;
  const has = tensor.shape.join(", ");
  throw new UserError("wrong-shape", `${name} has the shape [${has}], expected [${shape.join(", ")}]`, {
    where,
    fix: "The adapter belongs to another model, or its configuration to another adapter.",
  });
}

/** The weights as the adapter changes them; what it leaves alone is read as it is. */
export function mergedWeights(
  source: Pick<WeightSource, "config" | "read">,
  { changes }: Pick<StoredAdapter, "changes">,
): Pick<WeightSource, "config" | "read"> {
  return {
    config: source.config,
    async read(name) {
      const weight = await source.read(name);
      const change = changes.get(name);
      return change === undefined ? weight : addTo(weight, change);
    },
  };
}

/** Adds in double precision and rounds once. */
async function addTo(weight: Float32Array, { rank, scaling, ...matrices }: StoredChange): Promise<Float32Array> {
  const [a, b] = [await matrices.a(), await matrices.b()];
  const inputs = a.length / rank;
  const sums = new Float64Array(inputs);
  for (let row = 0; row < weight.length / inputs; row++) {
    sums.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scaling * b[row * rank + r]!;
      for (let i = 0; i < inputs; i++) sums[i]! += factor * a[r * inputs + i]!;
    }
    for (let i = 0; i < inputs; i++) weight[row * inputs + i]! += sums[i]!;
  }
  return weight;
}
