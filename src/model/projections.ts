/** The linear maps of a layer, in their order in it. */
export const projectionNames = ["q", "k", "v", "o", "gate", "up", "down"] as const;
export type ProjectionName = (typeof projectionNames)[number];

const moduleNames: Record<ProjectionName, string> = {
  q: "self_attn.q_proj",
  k: "self_attn.k_proj",
  v: "self_attn.v_proj",
  o: "self_attn.o_proj",
  gate: "mlp.gate_proj",
  up: "mlp.up_proj",
  down: "mlp.down_proj",
};

/** A projection's name within a Hugging Face checkpoint. */
export function moduleName(layer: number, projection: ProjectionName): string {
  return `model.layers.${layer}.${moduleNames[projection]}`;
}
