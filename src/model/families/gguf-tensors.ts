import type { DecoderConfig } from "../config.ts";

const fixed: Record<string, string> = {
  "token_embd.weight": "model.embed_tokens.weight",
  "output_norm.weight": "model.norm.weight",
  "output.weight": "lm_head.weight",
};
const perLayer: Record<string, string> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};

/** The Hugging Face name of a GGUF tensor (`blk.0.attn_q.weight`), or the name itself if it has another. */
export function huggingFaceName(name: string): string {
  if (Object.hasOwn(fixed, name)) return fixed[name]!;
  const [, layer, part, kind] = /^blk\.(\d{1,4})\.(\w+)\.(weight|bias)$/.exec(name) ?? [];
  if (part === undefined || !Object.hasOwn(perLayer, part)) return name;
  return `model.layers.${Number(layer)}.${perLayer[part]}.${kind}`;
}

/**
 * GGUF files of Llamas hold the rows of q and k in another order, which pairs neighbours for rotation: row `2 i + j` of
 * a head there is row `j headSize / 2 + i` here. Gives back the order of Hugging Face.
 * @param values `[heads * headSize, columns]`, row-major (columns 1 for a bias)
 */
export function undoRotationOrder(values: Float32Array, heads: number, headSize: number): Float32Array {
  const columns = values.length / (heads * headSize);
  const ordered = new Float32Array(values.length);
  for (let row = 0; row < heads * headSize; row++) {
    const inHead = row % headSize;
    const from = row - inHead + 2 * (inHead % (headSize / 2)) + (inHead < headSize / 2 ? 0 : 1);
    ordered.set(values.subarray(from * columns, (from + 1) * columns), row * columns);
  }
  return ordered;
}

/** A tensor's values with the rows of q and k in the order of Hugging Face. */
export function inHuggingFaceOrder(name: string, values: Float32Array, config: DecoderConfig): Float32Array {
  if (name.includes(".self_attn.q_proj.")) return undoRotationOrder(values, config.heads, config.headSize);
  if (name.includes(".self_attn.k_proj.")) return undoRotationOrder(values, config.keyValueHeads, config.headSize);
  return values;
}
