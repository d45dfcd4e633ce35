import { stream, type RandomStream } from "../random.ts";
import type { DecoderConfig } from "./config.ts";
import { createDecoder, isBias, isGain, type Decoder } from "./decoder.ts";

/**
 * A decoder with fresh weights, as transformers initializes a Llama: matrices from N(0, initializerRange), gains 1,
 * biases 0. Each tensor draws from a stream of its own, named by the seed and the tensor.
 */
export function initializeModel(config: DecoderConfig, { seed }: { seed: number }): Promise<Decoder> {
  return createDecoder(config, (name, shape) => {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    if (isGain(name)) values.fill(1);
    else if (!isBias(name)) fillNormal(values, config.initializerRange, stream(seed, "initialize", name));
    return values;
  });
}

/** Independent draws from N(0, deviation), by Box and Muller: two uniform numbers make two normal ones. */
function fillNormal(values: Float32Array, deviation: number, random: RandomStream): void {
  for (let i = 0; i < values.length; i += 2) {
    const radius = deviation * Math.sqrt(-2 * Math.log(1 - random.next())); // 1 - u is never 0
    const angle = 2 * Math.PI * random.next();
    values[i] = radius * Math.cos(angle);
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle);
  }
}
