/** What help says of the recipe, without loading it. */
export const oreal = {
  name: "oreal",
  summary: "Trains a model on its own answers by outcome rewards: OREAL, beside other objectives for comparison.",
  example: "configs/oreal/quickstart.yaml",
} as const;
