import type { DecoderConfig } from "../config.ts";
import { moduleName, type ProjectionName } from "../projections.ts";

/**
 * Names and shapes of a model whose layers have two norms, four projections of attention and three of a gated
 * feed-forward part: `[outputs, inputs]` for projections, `lm_head.weight` only where the output is not tied.
 */
export function layerTensors(config: DecoderConfig): Map<string, number[]> {
  const { width, feedForwardWidth, headSize } = config;
  const queryWidth = config.heads * headSize;
  const keyWidth = config.keyValueHeads * headSize;
  const tensors = new Map<string, number[]>([["model.embed_tokens.weight", [config.vocabularySize, width]]]);
  for (let layer = 0; layer < config.layers; layer++) {
    const projection = (name: ProjectionName, outputs: number, inputs: number): void => {
      tensors.set(`${moduleName(layer, name)}.weight`, [outputs, inputs]);
      if (config.biases.includes(name)) tensors.set(`${moduleName(layer, name)}.bias`, [outputs]);
    };
    tensors.set(`model.layers.${layer}.input_layernorm.weight`, [width]);
    projection("q", queryWidth, width);
    projection("k", keyWidth, width);
    projection("v", keyWidth, width);
    projection("o", width, queryWidth);
    tensors.set(`model.layers.${layer}.post_attention_layernorm.weight`, [width]);
    projection("gate", feedForwardWidth, width);
    projection("up", feedForwardWidth, width);
    projection("down", width, feedForwardWidth);
  }
  tensors.set("model.norm.weight", [width]);
  if (!config.tiedOutput) tensors.set("lm_head.weight", [config.vocabularySize, width]);
  return tensors;
}
