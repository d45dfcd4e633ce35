import { UserError } from "../system/errors.ts";
import { totalSize } from "../tensor/shape.ts";
import type { GgufVocabulary } from "../text/gguf-vocabulary.ts";
import type { DecoderConfig } from "./config.ts";
import { decoderTensors, familyOf } from "./families/index.ts";
import type { GgufWriting } from "./families/family.ts";
import { ggufLayout } from "./families/gguf-tensors.ts";
import { tensorsOf } from "./families/tensors.ts";
import type { GgufEntries } from "./gguf-entries.ts";
import { ggufTensorBytes, type GgufContents, type GgufTensor } from "./weights/gguf-write.ts";
import { ggufEncoders, type GgufType } from "./weights/quantize.ts";
import type { WeightSource } from "./weights/source.ts";

/** What a GGUF file is called and made of. */
export interface GgufOptions {
  /** Number format of the matrices. */
  readonly type: GgufType;
  /** `general.name`: what programs show. */
  readonly name: string;
}

/** `general.file_type`, by the format of most tensors. */
export const fileTypes: Readonly<Record<GgufType, number>> = { f32: 0, f16: 1, bf16: 32, q8_0: 7, q4_0: 2 };

/**
 * A model as a GGUF file that llama.cpp computes as this library does. Nothing is read before it is written.
 * @throws UserError for a model that llama.cpp does not compute
 */
export function ggufOfModel(
  source: Pick<WeightSource, "config" | "read">,
  vocabulary: GgufVocabulary,
  { type, name }: GgufOptions,
): GgufContents {
  const { config } = source;
  const writing = ggufWritingOf(config);
  const more = (writing.moreTensors?.(config) ?? []).map(({ name: own, values }): GgufTensor => {
    return { name: own, shape: [values.length], type: "f32", values: () => values };
  });
  const shapes = decoderTensors(config);
  const names = ggufNames(config);
  const tensors = [...shapes].map(([hubName, shape]): GgufTensor => {
    const own = names.get(hubName)!;
    return {
      name: own,
      shape,
      type: typeOf(own, shape, { type, tiedOutput: config.tiedOutput }),
      values: async () => valuesOf(writing, hubName, await source.read(hubName), config),
    };
  });
  const entries: GgufEntries = {
    "general.architecture": writing.architecture,
    "general.type": "model",
    "general.name": name,
    "general.size_label": sizeLabel(totalSize(shapes.values())),
    "general.file_type": fileTypes[type],
    "general.quantization_version": 2,
    ...writing.entries(config),
    ...vocabulary.entries,
  };
  return { entries, tensors: [...more, ...tensors] };
}

/** What llama.cpp computes otherwise in a model of this configuration, as sentences. */
export function ggufNotes(config: DecoderConfig): readonly string[] {
  return ggufWritingOf(config).notes?.(config) ?? [];
}

/** @throws UserError where llama.cpp does not compute the family */
export function ggufWritingOf(config: DecoderConfig): GgufWriting {
  const { ggufWriting, modelType } = familyOf(config);
  if (ggufWriting !== undefined) return ggufWriting;
  throw new UserError("unsupported-model", `a ${modelType} cannot be written as GGUF`, {
    where: "configuration of the model",
  });
}

/** The names of all tensors in GGUF files, by those of Hugging Face. */
export function ggufNames(config: DecoderConfig): Map<string, string> {
  const own = [...tensorsOf(config, ggufLayout).keys()]; // in the same order
  return new Map([...decoderTensors(config).keys()].map((name, i) => [name, own[i]!]));
}

/** A tensor's values as the file holds them. */
export function valuesOf(
  writing: GgufWriting,
  name: string,
  values: Float32Array,
  config: DecoderConfig,
): Float32Array {
  return writing.ggufValues?.(name, values, config) ?? values;
}

/**
 * The format of one tensor, as llama.cpp's converter chooses it: vectors, norms and embeddings of positions stay in single
 * precision, rows that no block fits in half precision. With q4_0 the output stays q8_0, as its quantizer keeps it finer.
 */
export function typeOf(
  name: string,
  shape: readonly number[],
  { type, tiedOutput }: { type: GgufType; tiedOutput: boolean },
): GgufType {
  const isMatrix = shape.length > 1 && /\.(weight|lora_a|lora_b)$/.test(name);
  if (!isMatrix || name.endsWith("_norm.weight") || name === "position_embd.weight") return "f32";
  const isOutput = name === "output.weight" || (tiedOutput && name === "token_embd.weight");
  const wanted = type === "q4_0" && isOutput ? "q8_0" : type;
  return shape.at(-1)! % ggufEncoders[wanted].blockValues === 0 ? wanted : "f16";
}

/** Such as 135M or 1.7B. */
function sizeLabel(numbers: number): string {
  const [unit, letter] = numbers >= 1e9 ? [1e9, "B"] : numbers >= 1e6 ? [1e6, "M"] : [1e3, "K"];
  const count = numbers / unit;
  return `${count < 10 ? Math.round(count * 10) / 10 : Math.round(count)}${letter}`;
}

/** What `ggufOfModel` gives in bytes, but for the header. */
export function ggufBytes({ tensors }: GgufContents): number {
  return tensors.reduce((sum, tensor) => sum + ggufTensorBytes(tensor), 0);
}
