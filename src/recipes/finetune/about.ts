/** What help says of fine-tuning, without loading it. */
export const finetune = {
  name: "finetune",
  summary: "Fine-tunes a model on its responses, or trains one from fresh weights.",
  example: "configs/finetune/pretrain-tiny.yaml",
} as const;

/** What help says of ssToken, without loading it. */
export const ssToken = {
  name: "sstoken",
  summary: "Fine-tunes a model on the response tokens that ssToken selects, beside other rules for comparison.",
  example: "configs/sstoken/quickstart.yaml",
} as const;
