import { normalValues, stream } from "../system/random.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { DecoderConfig } from "./config.ts";
import { isBias } from "./families/index.ts";
import { createDecoder, type Decoder } from "./decoder.ts";

/**
 * A decoder with fresh weights, as transformers initializes a Llama: matrices from N(0, initializerRange), norms that
 * multiply by 1, biases 0. Each tensor draws from a stream of its own, named by the seed and the tensor.
 */
export function initializeModel(config: DecoderConfig, { seed }: { seed: number }): Promise<Decoder> {
  return createDecoder(config, (name, shape) => {
    const size = sizeOf(shape);
    if (isBias(name)) return new Float32Array(size);
    if (shape.length === 1) return new Float32Array(size).fill(1 - (config.gainOffset ?? 0));
    return normalValues(size, config.initializerRange, stream(seed, "initialize", name));
  });
}
