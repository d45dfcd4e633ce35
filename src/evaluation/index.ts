export { evaluateModel, type EvaluateOptions, type Evaluation } from "./evaluate-model.ts";
export { type PairedComparison, pairedBootstrap } from "./paired-bootstrap.ts";
export { passAtK } from "./pass-at-k.ts";
export { type NoiseGrade, precisionRecall } from "./precision-recall.ts";
