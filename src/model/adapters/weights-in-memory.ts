import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import type { Decoder } from "../decoder.ts";
import { embeddingModule, headModule } from "./modules.ts";
import { targetsOf, type LoraSettings } from "./options.ts";
import { savedTensors } from "./targets.ts";

/**
 * Names of the weights that an adapter needs in the engine's memory; over all others it lies as well where they are
 * frozen in their files. They are those that it copies, embeddings and output projections that it changes, and with
 * `dora` whatever it changes.
 */
export function weightsInMemory(config: DecoderConfig, settings: LoraSettings): Set<string> {
  const changed = targetsOf(settings, config).filter(
    ({ place }) => settings.dora === true || place.kind !== "projection",
  );
  const names = [
    ...changed.map(({ module }) => `${module}.weight`),
    ...savedTensors(config, settings.modulesToSave ?? []).map(({ name }) => name),
  ];
  const head = `${headModule(config)}.weight`;
  if (config.tiedOutput && names.includes(head)) names.push(`${embeddingModule(config)}.weight`);
  return new Set(names);
}

/** @throws UserError where such a weight is frozen in its file */
export function requireInMemory({ config, stored = [] }: Decoder, settings: LoraSettings): void {
  if (stored.length === 0) return;
  const needed = weightsInMemory(config, settings);
  const found = stored.find(({ name }) => needed.has(name));
  if (found === undefined) return;
  throw new UserError("adapted-model", "the adapter needs this weight in memory, and it is frozen in its file", {
    where: found.name,
    fix: "Load the model with its weights as float32.",
  });
}
