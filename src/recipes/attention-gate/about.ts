/** What help says of the recipe, without loading it. */
export const attentionGate = {
  name: "attention-gate",
  summary: "Trains gates that evict tokens from the key-value cache, beside published evictions of equal budget.",
  example: "configs/attention-gate/quickstart.yaml",
} as const;
