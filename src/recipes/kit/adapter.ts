import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AdapterConfig } from "../../config/adapter-group.ts";
import { createAdapter, type Adapter } from "../../model/adapters/lora.ts";
import { loraSettings, type LoraOptions } from "../../model/adapters/options.ts";
import { weightsInMemory } from "../../model/adapters/weights-in-memory.ts";
import { loadAdapter } from "../../model/adapters/peft.ts";
import { parsePeftConfig } from "../../model/adapters/peft-config.ts";
import { savedOptions } from "../../model/adapters/peft-tensors.ts";
import { withAdapter } from "../../model/adapters/with-adapter.ts";
import type { DecoderConfig } from "../../model/config.ts";
import type { LoadOptions, Model } from "../../model/model.ts";
import { parseJson } from "../../model/weights/read-json.ts";
import { UserError } from "../../system/errors.ts";
import { optional } from "../../system/optional.ts";

/** The model itself, or one with the configuration's adapter over it: a fresh one, or the one to start from. */
export async function trainable(trunk: Model, config: AdapterConfig | undefined, seed: number): Promise<Model> {
  return config === undefined ? trunk : withAdapter(trunk, await openAdapter(trunk, config, seed));
}

async function openAdapter(trunk: Model, config: AdapterConfig, seed: number): Promise<Adapter> {
  const { from, baseModel, dropout } = config;
  if (from === undefined) return createAdapter(trunk, { ...loraOptions(config), seed, baseModel });
  const adapter = await loadAdapter(from, trunk, { seed, dropout });
  return baseModel === undefined ? adapter : { ...adapter, baseModel };
}

/**
 * The model that a training with this adapter starts from: the trunk, or where the configuration names a saved adapter,
 * the trunk with that. `release` frees what was loaded for it, and leaves the trunk.
 */
export async function startOf(
  trunk: Model,
  config: AdapterConfig | undefined,
): Promise<{ model: Model; release: () => void }> {
  if (config?.from === undefined) return { model: trunk, release: () => undefined };
  const model = withAdapter(trunk, await loadAdapter(config.from, trunk, { dropout: 0 }));
  return { model, release: model.dispose };
}

/** What an adapter of a configuration is made of, for an estimate: of one to start from, what its folder says. */
export function adapterOptions(shape: DecoderConfig, config: AdapterConfig | undefined): { adapter?: LoraOptions } {
  if (config === undefined) return {};
  const { from, dropout } = config;
  if (from === undefined) return { adapter: loraOptions(config) };
  const path = join(from, "adapter_config.json");
  if (!existsSync(path))
    throw new UserError("not-an-adapter", "there is no adapter_config.json in this folder", {
      where: from,
      fix: "Name the folder of an adapter saved by a run (adapter/) or by PEFT.",
    });
  const saved = savedOptions(parsePeftConfig(parseJson(readFileSync(path), path), path), shape, path);
  return { adapter: { ...saved, ...optional({ dropout }) } };
}

/**
 * How a trunk under these adapters is loaded: with its weights in their files, but for those that an adapter needs in
 * memory, unless one says otherwise.
 */
export function trunkLoading(shape: DecoderConfig, configs: readonly (AdapterConfig | undefined)[]): LoadOptions {
  const adapters = configs.filter((config) => config !== undefined);
  if (adapters.length === 0 || adapters.some(({ trunk }) => trunk === "float32")) return {};
  const inMemory = adapters.flatMap((config) => {
    const { adapter } = adapterOptions(shape, config);
    return [...weightsInMemory(shape, loraSettings(adapter!, shape))];
  });
  return { weights: "as-stored", inMemory: new Set(inMemory) };
}

/** Of the weights that can stay in their files those that do under these adapters, for an estimate. */
export function storedUnder(
  { shape, storedBytes = new Map() }: { shape: DecoderConfig; storedBytes?: ReadonlyMap<string, number> },
  configs: readonly (AdapterConfig | undefined)[],
): { stored?: ReadonlyMap<string, number> } {
  const { weights, inMemory } = trunkLoading(shape, configs);
  if (weights !== "as-stored") return {};
  return { stored: new Map([...storedBytes].filter(([name]) => !inMemory?.has(name))) };
}

function loraOptions(config: AdapterConfig): LoraOptions {
  const { rank = 16, alpha, rsLora, dora, dropout, projections, layers } = config;
  const { targetModules, excludeModules, rankPattern, alphaPattern, modulesToSave } = config;
  const modules = { projections, layers, targetModules, excludeModules, modulesToSave };
  return { rank, ...optional({ alpha, rsLora, dora, dropout, rankPattern, alphaPattern, ...modules }) };
}
