import type { DecoderConfig } from "../config.ts";
import type { Fields } from "../fields.ts";
import type { GgufFamily, GgufTensorFacts } from "./family.ts";
import { ggufHeader, parseGgufKeys, windowFromGguf, type GgufHeader } from "./gguf-keys.ts";
import { hubNames } from "./gguf-tensors.ts";
import { gainsLessOne } from "./gguf-values.ts";
import type { Layout } from "./layout.ts";
import { numbersFrom } from "./windows.ts";

/** How a Gemma's GGUF files differ from those of another. */
interface GemmaFiles {
  family: string;
  architecture: string;
  models: string;
  layout: Layout;
  caps: { attention?: number; output?: number };
  /** Layers of the model of 27B, whose scale of scores no key says. */
  largestLayers: number;
  /** So manieth layers have no window, unless the file says which. */
  pattern: number;
  /** What norms queries and keys have, and by what layers with a window turn. */
  own?: Pick<DecoderConfig, "queryKeyNorm"> & { localTheta: number };
}

/** GGUF files of Gemma 2 and 3. */
export function gemmaInGguf({ family, architecture, models, layout, ...files }: GemmaFiles): GgufFamily {
  return {
    architecture,
    models,
    huggingFaceName: hubNames(layout),
    inHuggingFaceOrder: gainsLessOne,
    parse: (fields, facts, where) => ({ family, ...parse(ggufHeader(architecture, fields, where), facts, files) }),
  };
}

function parse(
  header: GgufHeader,
  facts: GgufTensorFacts,
  { caps, largestLayers, pattern, own }: Omit<GemmaFiles, "family" | "architecture" | "models" | "layout">,
): Omit<DecoderConfig, "family"> {
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
    gainOffset: 1,
    normPlacement: "around",
    ...(own?.queryKeyNorm && { queryKeyNorm: own.queryKeyNorm }),
    ...(layers === largestLayers && { attentionScale: (width / heads) ** -0.5 }),
    ...(attentionCap !== undefined && { attentionCap }),
    ...(outputCap !== undefined && { outputCap }),
    embeddingScale: Math.fround(Math.sqrt(width)),
    biases: [],
  };
}

function cap({ fields, key }: GgufHeader, name: string, assumed: number | undefined): number | undefined {
  if (fields.raw(key(name)) === undefined) return assumed;
  return fields.number(key(name), { min: 1e-6, max: 1e9 });
}

/** `attention.sliding_window_pattern` has a list of layers, or every how manieth has no window. */
function windowLayersOf({ fields, key }: GgufHeader, layers: number, assumed: number): number[] {
  const name = key("attention.sliding_window_pattern");
  const listed = listedLayers(fields, name, layers);
  if (listed !== undefined) return numbersFrom(0, layers).filter((layer) => listed[layer]);
  const pattern = fields.integer(name, { min: 1, fallback: assumed });
  return numbersFrom(0, layers).filter((layer) => (layer + 1) % pattern !== 0);
}

function listedLayers(fields: Fields, name: string, layers: number): readonly boolean[] | undefined {
  const listed = fields.raw(name);
  return Array.isArray(listed) && listed.length === layers ? listed.map(Boolean) : undefined;
}
