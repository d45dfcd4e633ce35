export { evaluateModel, type EvaluateOptions, type Evaluation } from "./evaluate-model.ts";
export { holm } from "./holm.ts";
export { type McNemarTest, mcNemarTest } from "./mcnemar.ts";
export { type PairedComparison, pairedBootstrap } from "./paired-bootstrap.ts";
export { passAtK } from "./pass-at-k.ts";
export { pairsForPower } from "./pairs-for-power.ts";
export { type NoiseGrade, precisionRecall } from "./precision-recall.ts";
export { seedBootstrap } from "./seed-bootstrap.ts";
export { type SignFlipTest, signFlipTest } from "./sign-flip.ts";
