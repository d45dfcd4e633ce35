import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { show } from "../fields.ts";
import type { ProjectionName } from "../projections.ts";
import type { Family, GgufFamily } from "./family.ts";
import { gemma2 } from "./gemma2.ts";
import { gemma3 } from "./gemma3.ts";
import { gpt2 } from "./gpt2.ts";
import { partName } from "./layout.ts";
import { llama } from "./llama.ts";
import { mistral } from "./mistral.ts";
import { olmo2 } from "./olmo2.ts";
import { phi3 } from "./phi3.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { smollm3 } from "./smollm3.ts";
import { tensorsOf } from "./tensors.ts";

export type { Family, GgufFamily, GgufTensorFacts } from "./family.ts";

/** Every family that can be read, trained and written. */
export const families: readonly Family[] = [llama, mistral, qwen2, qwen3, smollm3, gemma2, gemma3, phi3, gpt2, olmo2];

/** @throws UserError naming the families that there are */
export function familyOf({ family }: Pick<DecoderConfig, "family">): Family {
  return familyNamed(family, "configuration of the model");
}

/**
 * The family whose `model_type` this is.
 * @throws UserError naming the families that there are
 */
export function familyNamed(modelType: unknown, where: string): Family {
  const family = families.find((known) => known.modelType === modelType);
  if (family !== undefined) return family;
  throw new UserError("unsupported-model", `the model type ${show(modelType)} is not supported`, {
    where,
    fix: supported(families.map(({ modelType, models }) => ({ name: modelType, models }))),
  });
}

type FamilyInGguf = Family & { readonly gguf: GgufFamily };

/**
 * The family whose `general.architecture` this is.
 * @throws UserError naming those that there are
 */
export function ggufFamilyNamed(architecture: unknown, where: string): FamilyInGguf {
  const known = families.filter((family): family is FamilyInGguf => family.gguf !== undefined);
  const family = known.find(({ gguf }) => gguf.architecture === architecture);
  if (family !== undefined) return family;
  throw new UserError("unsupported-model", `the architecture ${show(architecture)} is not supported`, {
    where,
    fix: supported(known.map(({ gguf, models }) => ({ name: gguf.architecture, models, ...gguf }))),
  });
}

function supported(known: { name: string; models: string }[]): string {
  return `Supported: ${known.map(({ name, models }) => `${name} (${models}, ...)`).join(", ")}.`;
}

/** Names (those of Hugging Face) and row-major shapes of all tensors of a decoder, in their order in the model. */
export function decoderTensors(config: DecoderConfig): Map<string, number[]> {
  return tensorsOf(config, familyOf(config).layout);
}

export function isBias(name: string): boolean {
  return name.endsWith(".bias");
}

/** A projection's name within a Hugging Face checkpoint. */
export function moduleName(config: Pick<DecoderConfig, "family">, layer: number, projection: ProjectionName): string {
  return partName(familyOf(config).layout, layer, projection);
}
