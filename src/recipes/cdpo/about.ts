/** What help says of the recipe, without loading it. */
export const cdpo = {
  name: "cdpo",
  summary: "Aligns a model with pairs of its own answers, wrong tokens weighted by contrastive estimation: cDPO.",
  example: "configs/cdpo/quickstart.yaml",
} as const;
