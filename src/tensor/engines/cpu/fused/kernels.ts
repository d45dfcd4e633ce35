import type { DefinitionParts, KernelName } from "../../../ops/index.ts";
import { activate, activateGradient, gatedUnit, gatedUnitGradient } from "./activation.ts";
import { attentionPeaks } from "./attention-peaks.ts";
import { cachedAttention, cacheWrite, causalAttention, causalAttentionGradient, raggedAttention } from "./attention.ts";
import { gatedAttention, gatedAttentionGradient } from "./gated-attention.ts";
import type { FusedKernel } from "./kernel.ts";
import { linear, linearGradient, storedLinear, storedLinearGradient } from "./linear.ts";
import { targetLogProbs, targetLogProbsGradient } from "./log-probs.ts";
import { adamw, sumOfSquares } from "./optimizer.ts";
import * as rows from "./rows.ts";
import { softCap } from "./soft-cap.ts";

/** The cpu engine's form of every whole operation. */
export const fusedKernels: { [K in Exclude<KernelName, keyof DefinitionParts>]: FusedKernel<K> } = {
  TokensiftEmbed: rows.embed,
  TokensiftEmbedGrad: rows.embedGradient,
  TokensiftStoredEmbed: rows.storedEmbed,
  TokensiftStoredLinear: storedLinear,
  TokensiftStoredLinearGrad: storedLinearGradient,
  TokensiftLinear: linear,
  TokensiftLinearGrad: linearGradient,
  TokensiftRmsNorm: rows.rmsNorm,
  TokensiftRmsNormGrad: rows.rmsNormGradient,
  TokensiftLayerNorm: rows.layerNorm,
  TokensiftLayerNormGrad: rows.layerNormGradient,
  TokensiftRotary: rows.rotary,
  TokensiftPartialRotary: rows.rotary,
  TokensiftCausalAttention: causalAttention,
  TokensiftCausalAttentionGrad: causalAttentionGradient,
  TokensiftGatedAttention: gatedAttention,
  TokensiftGatedAttentionGrad: gatedAttentionGradient,
  TokensiftAttentionPeaks: attentionPeaks,
  TokensiftCachedAttention: cachedAttention,
  TokensiftRaggedAttention: raggedAttention,
  TokensiftCacheWrite: cacheWrite,
  TokensiftSwiglu: rows.swiglu,
  TokensiftSwigluGrad: rows.swigluGradient,
  TokensiftGatedUnit: gatedUnit,
  TokensiftGatedUnitGrad: gatedUnitGradient,
  TokensiftActivate: activate,
  TokensiftActivateGrad: activateGradient,
  TokensiftSoftCap: softCap,
  TokensiftTargetLogProbs: targetLogProbs,
  TokensiftTargetLogProbsGrad: targetLogProbsGradient,
  TokensiftAdamW: adamw,
  TokensiftSumOfSquares: sumOfSquares,
};
