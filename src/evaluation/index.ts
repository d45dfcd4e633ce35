export { evaluateModel, type EvaluateOptions, type Evaluation } from "./evaluateModel.ts";
export { type LossSum, lossSum, meanLoss, perplexity, rowLosses } from "./perplexity.ts";
export { type PairedComparison, pairedBootstrap } from "./pairedBootstrap.ts";
export { passAtK } from "./passAtK.ts";
export { type NoiseGrade, combineGrades, precisionRecall } from "./precisionRecall.ts";
