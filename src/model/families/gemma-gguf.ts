import type { DecoderConfig } from "../config.ts";
import type { Fields } from "../fields.ts";
import type { GgufHeader } from "../rope/index.ts";
import type { FamilyFacts, GgufFamily, GgufTensorFacts } from "./family.ts";
import { parseGgufKeys, windowFromGguf } from "./gguf-keys.ts";
import { allButEvery, numbersFrom } from "./windows.ts";

/** What every Gemma has that no file says. */
export const gemmaFacts = { gainOffset: 1, normPlacement: "around" } as const;

/** The factor on the embeddings. */
export const embeddingScaleOf = (width: number): number => Math.fround(Math.sqrt(width));

/** How a Gemma's GGUF files differ from those of another. */
interface GemmaFiles {
  caps: { attention?: number; output?: number };
  /** Layers of the model of 27B, whose scale of scores no key says. */
  largestLayers: number;
  /** One layer in so many has no window, unless the file says which. */
  pattern: number;
  /** What norms queries and keys have, and by what layers with a window turn. */
  own?: Pick<DecoderConfig, "queryKeyNorm"> & { localTheta: number };
}

/** GGUF files of Gemma 2 and 3; in them gains have grown by one, as the norm multiplies by them. */
export function gemmaInGguf(files: GemmaFiles): Pick<GgufFamily, "huggingFaceValues" | "parse"> {
  return {
    huggingFaceValues: (name, values) => (name.endsWith("norm.weight") ? values.map((gain) => gain - 1) : values),
    parse: (header, facts) => parse(header, facts, files),
  };
}

function parse(
  header: GgufHeader,
  facts: GgufTensorFacts,
  { caps, largestLayers, pattern, own }: GemmaFiles,
): FamilyFacts {
  const shared = parseGgufKeys(header, facts, {
    windows: (header, layers) =>
      windowFromGguf(header, { assumed: 4096, layersOf: () => windowLayersOf(header, layers, pattern) }),
    ...(own && { localTheta: own.localTheta }),
  });
  const { width, heads, layers } = shared;
  const attentionCap = cap(header, "attn_logit_softcapping", caps.attention);
  const outputCap = cap(header, "final_logit_softcapping", caps.output);
  return {
    ...shared,
    activation: "gelu-tanh",
    ...gemmaFacts,
    ...(own?.queryKeyNorm && { queryKeyNorm: own.queryKeyNorm }),
    ...(layers === largestLayers && { attentionScale: (width / heads) ** -0.5 }),
    ...(attentionCap !== undefined && { attentionCap }),
    ...(outputCap !== undefined && { outputCap }),
    embeddingScale: embeddingScaleOf(width),
    biases: [],
  };
}

function cap({ fields, key }: GgufHeader, name: string, assumed: number | undefined): number | undefined {
  if (fields.raw(key(name)) === undefined) return assumed;
  return fields.number(key(name), { min: 1e-6, max: 1e9 });
}

/** `attention.sliding_window_pattern` has a list of layers, or one number: of so many layers one has no window. */
function windowLayersOf({ fields, key }: GgufHeader, layers: number, assumed: number): number[] {
  const name = key("attention.sliding_window_pattern");
  const listed = listedLayers(fields, name, layers);
  if (listed !== undefined) return numbersFrom(0, layers).filter((layer) => listed[layer]);
  return allButEvery(fields.integer(name, { min: 1, fallback: assumed }), layers);
}

function listedLayers(fields: Fields, name: string, layers: number): readonly boolean[] | undefined {
  const listed = fields.raw(name);
  return Array.isArray(listed) && listed.length === layers ? listed.map(Boolean) : undefined;
}
