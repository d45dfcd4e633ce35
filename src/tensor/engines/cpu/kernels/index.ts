export { attention, attentionGradient, attentionScratch, meanOverHeads } from "./attention";
export { cachedAttention, raggedAttention } from "./cachedAttention";
export { binaryRows, binarySame, swiglu, swigluGradient, unary } from "./elementwise";
export { gatedAttention, gatedAttentionGradient, gatedScratch } from "./gatedAttention";
export { addRows, copyRows, gatherRows, scatterRows, transpose, transposeMatrix } from "./layout";
export { logitGradient, targetLogProbs } from "./logProbs";
export { rmsNorm, rmsNormGradient, rotary } from "./normalisation";
export { adamw } from "./optimizer";
export {
  product,
  productRow,
  productScratchBytes,
  productTasks,
  productBlocks,
  setProductScratch,
  useLibrary,
} from "./product";
export { maxRows, softmaxRows, squareSums, sumColumns, sumRows } from "./reduce";
export { setRank } from "./thread";
