import { rowOfPaired } from "../../tensor/stored-weight.ts";
import type { DecoderConfig } from "../config.ts";
import { layerParts } from "../projections.ts";
import type { GgufFamily } from "./family.ts";
import type { Layout } from "./layout.ts";

/** What GGUF files call the tensors. */
export const ggufLayout: Layout = {
  embedding: "token_embd",
  positions: "position_embd",
  layer: "blk.%.",
  parts: {
    beforeAttention: "attn_norm",
    q: "attn_q",
    k: "attn_k",
    v: "attn_v",
    qkv: "attn_qkv",
    query: "attn_q_norm",
    key: "attn_k_norm",
    o: "attn_output",
    afterAttention: "post_attention_norm",
    beforeFeedForward: "ffn_norm",
    gate: "ffn_gate",
    up: "ffn_up",
    "gate-up": "ffn_up",
    down: "ffn_down",
    afterFeedForward: "post_ffw_norm",
  },
  finalNorm: "output_norm",
  head: "output",
};

/**
 * The Hugging Face name of a GGUF tensor (`blk.0.attn_q.weight`) in a family with this layout, or the name itself if it
 * has no such tensor.
 */
export function hubNames(layout: Layout): (name: string) => string {
  const whole = (["embedding", "positions", "finalNorm", "head"] as const).flatMap((part) => {
    const names = [ggufLayout[part], layout[part]];
    return names.includes(undefined) ? [] : [names as [string, string]];
  });
  const parts = layerParts.flatMap((part): [string, string][] => {
    const [from, to] = [ggufLayout.parts[part], layout.parts[part]];
    return from === undefined || to === undefined ? [] : [[from, to]];
  });
  const [wholeNames, partNames] = [new Map(whole), new Map(parts)];
  return (name) => {
    const [, stem = "", kind] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
    const known = wholeNames.get(stem);
    if (known !== undefined) return `${known}.${kind}`;
    const [, layer, rest = ""] = /^blk\.(\d{1,4})\.(.*)$/.exec(stem) ?? [];
    const part = partNames.get(rest);
    return part === undefined ? name : `${layout.layer.replace("%", String(Number(layer)))}${part}.${kind}`;
  };
}

/**
 * GGUF files of Llamas hold the rows of q and k in another order, which pairs neighbours for rotation: row `2 i + j` of
 * a head there is row `j headSize / 2 + i` here.
 * @param values `[heads * headSize, columns]`, row-major (columns 1 for a bias)
 * @param to the order that is wanted: `pairs` as in those files, `halves` as Hugging Face has them
 */
export function rotationOrder(
  values: Float32Array,
  to: "pairs" | "halves",
  { heads, headSize }: { heads: number; headSize: number },
): Float32Array {
  const columns = values.length / (heads * headSize);
  const ordered = new Float32Array(values.length);
  for (let row = 0; row < heads * headSize; row++) {
    const own = rowOfPaired(row, headSize);
    const [from, target] = to === "pairs" ? [own, row] : [row, own];
    ordered.set(values.subarray(from * columns, (from + 1) * columns), target * columns);
  }
  return ordered;
}

function reordering(to: "pairs" | "halves") {
  return (name: string, values: Float32Array, config: DecoderConfig): Float32Array => {
    const headSize = pairedHead(name, config);
    if (headSize === 0) return values;
    return rotationOrder(values, to, {
      heads: name.includes(".q_proj.") ? config.heads : config.keyValueHeads,
      headSize,
    });
  };
}

function pairedHead(name: string, { headSize }: DecoderConfig): number {
  return /\.self_attn\.[qk]_proj\./.test(name) ? headSize : 0;
}

/** A tensor's values with the rows of q and k in the order of GGUF. */
export const inGgufOrder = reordering("pairs");

/** How files with that order are read. */
export const rotatedPairs = { huggingFaceValues: reordering("halves"), pairedHead } satisfies Partial<GgufFamily>;
