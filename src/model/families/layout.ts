import type { NormName, ProjectionName } from "../projections.ts";

/** What the files of a family call its tensors, without `.weight` and `.bias`. */
export interface Layout {
  /** Embeddings of tokens. */
  readonly embedding: string;
  /** Embeddings of positions, in families that have some. */
  readonly positions?: string;
  /** In front of the name of a layer's part: the layer's number stands for `%`. */
  readonly layer: string;
  readonly parts: Readonly<Partial<Record<NormName | ProjectionName, string>>>;
  readonly finalNorm: string;
  /** The output projection, where it is not tied. */
  readonly head: string;
  /** Projections are held `[inputs, outputs]`. */
  readonly transposed?: true;
  /**
   * The name that a tensor of older files has here; undefined: it carries nothing of its own, and is skipped.
   * Default: every name stands for itself.
   */
  renamed?(name: string): string | undefined;
}

/** As Llama has it, and most after it. */
export const usualLayout = {
  embedding: "model.embed_tokens",
  layer: "model.layers.%.",
  parts: {
    beforeAttention: "input_layernorm",
    q: "self_attn.q_proj",
    k: "self_attn.k_proj",
    v: "self_attn.v_proj",
    query: "self_attn.q_norm",
    key: "self_attn.k_norm",
    o: "self_attn.o_proj",
    beforeFeedForward: "post_attention_layernorm",
    gate: "mlp.gate_proj",
    up: "mlp.up_proj",
    down: "mlp.down_proj",
  },
  finalNorm: "model.norm",
  head: "lm_head",
} as const satisfies Layout;

/** The name of a layer's part in files. */
export function partName(layout: Layout, layer: number, part: NormName | ProjectionName): string {
  const name = layout.parts[part];
  if (name === undefined) throw new Error(`the family has no name for ${part}`);
  return layout.layer.replace("%", String(layer)) + name;
}
