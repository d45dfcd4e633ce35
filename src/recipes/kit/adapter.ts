import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AdapterConfig } from "../../config/adapter-group.ts";
import { createAdapter, type Adapter } from "../../model/adapters/lora.ts";
import type { LoraOptions } from "../../model/adapters/options.ts";
import { loadAdapter } from "../../model/adapters/peft.ts";
import { parsePeftConfig } from "../../model/adapters/peft-config.ts";
import { savedOptions } from "../../model/adapters/peft-tensors.ts";
import { withAdapter } from "../../model/adapters/with-adapter.ts";
import type { DecoderConfig } from "../../model/config.ts";
import type { Model } from "../../model/model.ts";
import { UserError } from "../../system/errors.ts";
import { optional } from "../../system/optional.ts";

/** The model itself, or one with the configuration's adapter over it: a fresh one, or the one to start from. */
export async function trainable(trunk: Model, config: AdapterConfig | undefined, seed: number): Promise<Model> {
  return config === undefined ? trunk : withAdapter(trunk, await openAdapter(trunk, config, seed));
}

async function openAdapter(
  trunk: Model,
  { from, baseModel, ...options }: AdapterConfig,
  seed: number,
): Promise<Adapter> {
  if (from === undefined) return createAdapter(trunk, { ...loraOptions(options), seed, baseModel });
  const adapter = await loadAdapter(from, trunk, { seed, dropout: options.dropout });
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
  const { from, baseModel: _, ...options } = config;
  if (from === undefined) return { adapter: loraOptions(options) };
  const path = join(from, "adapter_config.json");
  if (!existsSync(path))
    throw new UserError("not-an-adapter", "there is no adapter_config.json in this folder", {
      where: from,
      fix: "Name the folder of an adapter saved by a run (adapter/) or by PEFT.",
    });
  const saved = savedOptions(parsePeftConfig(JSON.parse(readFileSync(path, "utf8")), path), shape, path);
  return { adapter: { ...saved, ...optional({ dropout: options.dropout }) } };
}

function loraOptions({ rank = 16, ...options }: Omit<AdapterConfig, "from" | "baseModel">): LoraOptions {
  return { rank, ...optional(options) };
}
