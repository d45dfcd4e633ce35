export { attention, attentionGradient, attentionScratch, cachedAttention, meanOverHeads, setRank } from "./attention";
export { binaryRows, binarySame, swiglu, swigluGradient, unary } from "./elementwise";
export { addRows, copyRows, gatherRows, scatterRows, transpose } from "./layout";
export { logitGradient, targetLogProbs } from "./logProbs";
export { rmsNorm, rmsNormGradient, rotary } from "./normalisation";
export { adamw } from "./optimizer";
export { multiply, productScratchBytes, setProductScratch } from "./product";
export { maxRows, softmaxRows, squareSums, sumColumns, sumRows } from "./reduce";
