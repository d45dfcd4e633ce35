import type { DecoderConfig } from "../config.ts";
import { layerParts, normsOf, projectionsOf, projectionSize, type NormName } from "../projections.ts";
import { partName, type Layout } from "./layout.ts";

/**
 * Names and shapes of all tensors of a model, in their order in it: `[outputs, inputs]` for projections, the output
 * projection only where it is not tied.
 */
export function tensorsOf(config: DecoderConfig, layout: Layout): Map<string, number[]> {
  const { width, vocabularySize } = config;
  const tensors = new Map<string, number[]>([[`${layout.embedding}.weight`, [vocabularySize, width]]]);
  if (config.rope === undefined) tensors.set(`${layout.positions}.weight`, [config.maxPositions, width]);
  const norm = (name: string, size: number): void => {
    tensors.set(`${name}.weight`, [size]);
    if (config.norm === "layer") tensors.set(`${name}.bias`, [size]);
  };
  const norms = normsOf(config);
  const projections = projectionsOf(config);
  for (let layer = 0; layer < config.layers; layer++) {
    for (const part of layerParts) {
      const projection = projections.find((name) => name === part);
      const gains = norms.get(part as NormName);
      if (gains !== undefined) norm(partName(layout, layer, part), gains);
      if (projection === undefined) continue;
      const size = projectionSize(config, projection);
      const name = partName(layout, layer, projection);
      tensors.set(`${name}.weight`, size);
      if (config.biases.includes(projection)) tensors.set(`${name}.bias`, [size[0]]);
    }
  }
  norm(layout.finalNorm, width);
  if (!config.tiedOutput) tensors.set(`${layout.head}.weight`, [vocabularySize, width]);
  return tensors;
}
