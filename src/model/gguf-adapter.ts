import { UserError } from "../system/errors.ts";
import type { StoredAdapter } from "./adapters/stored-adapter.ts";
import type { DecoderConfig } from "./config.ts";
import { decoderTensors } from "./families/index.ts";
import { fileTypes, ggufNames, ggufWritingOf, typeOf, valuesOf, type GgufOptions } from "./gguf-file.ts";
import type { GgufContents, GgufTensor } from "./weights/gguf-write.ts";

/**
 * An adapter alone as a GGUF file, which llama.cpp lays over the model's own: for each changed weight `NAME.lora_a`
 * `[rank, inputs]` and `NAME.lora_b` `[outputs, rank]`, of which it adds `alpha / rank * b a`. Where the adapter scales one
 * weight otherwise than the others, B is multiplied by what is left.
 * @throws UserError for an adapter that does more than that
 */
export function ggufOfAdapter(
  adapter: Pick<StoredAdapter, "changes" | "copies">,
  config: DecoderConfig,
  { type, name }: GgufOptions,
): GgufContents {
  requireLowRank(adapter, config);
  const { changes } = adapter;
  const writing = ggufWritingOf(config);
  const names = ggufNames(config);
  const first = [...changes.values()][0]!;
  const alpha = Math.fround(first.scaling * first.rank);
  const tensors = [...decoderTensors(config)].flatMap(([hubName, [outputs, inputs]]): GgufTensor[] => {
    const change = changes.get(hubName);
    if (change === undefined) return [];
    const { rank, scaling } = change;
    const own = names.get(hubName)!;
    const rest = (scaling * rank) / alpha;
    const matrix = (ending: string, shape: readonly number[], values: GgufTensor["values"]): GgufTensor => {
      const called = own + ending;
      return { name: called, shape, type: typeOf(called, shape, { type, tiedOutput: false }), values };
    };
    const b = async (): Promise<Float32Array> => {
      const values = await change.b();
      const scaled = Math.abs(rest - 1) < 1e-7 ? values : values.map((value) => value * rest);
      return valuesOf(writing, hubName, scaled, config);
    };
    return [matrix(".lora_a", [rank, inputs!], () => change.a()), matrix(".lora_b", [outputs!, rank], b)];
  });
  const entries = {
    "general.architecture": writing.architecture,
    "general.type": "adapter",
    "general.name": name,
    "adapter.type": "lora",
    "adapter.lora.alpha": { float: alpha },
    "general.file_type": fileTypes[type],
    "general.quantization_version": 2,
  };
  return { entries, tensors };
}

function requireLowRank(
  { changes, copies }: Pick<StoredAdapter, "changes" | "copies">,
  { tiedOutput }: DecoderConfig,
): void {
  const refuse = (what: string): never => {
    throw new UserError("unsupported-adapter", `llama.cpp does not lay ${what} over a model`, {
      where: "adapter",
      fix: "Write the model with the adapter added: leave out --adapter-only.",
    });
  };
  for (const name of copies.keys()) refuse(`weights that were trained as a whole (${name})`);
  for (const [name, { place, magnitude }] of changes) {
    if (magnitude !== undefined) refuse("DoRA");
    if (place.kind === "embedding" || (place.kind === "head" && tiedOutput)) refuse(`a change of ${name}`);
  }
}
