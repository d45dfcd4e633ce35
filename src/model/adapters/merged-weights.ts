import type { WeightSource } from "../weights/source.ts";
import { embeddingModule, headModule } from "./modules.ts";
import type { StoredAdapter, StoredChange } from "./stored-adapter.ts";

type Weights = Pick<WeightSource, "config" | "read">;

/**
 * The weights as the adapter changes them, each when it is read; what it leaves alone is read as it is. Where it changes
 * an embedding that is also the output projection, or that projection, the two are apart.
 */
export function mergedWeights(
  source: Weights,
  { changes, copies }: Pick<StoredAdapter, "changes" | "copies">,
): Weights {
  const { config } = source;
  const [embedding, head] = [`${embeddingModule(config)}.weight`, `${headModule(config)}.weight`];
  const isTied = config.tiedOutput;
  const parts = isTied && [embedding, head].some((name) => changes.has(name) || copies.has(name));
  return {
    config: parts ? { ...config, tiedOutput: false } : config,
    async read(name) {
      const copy = copies.get(name);
      if (copy !== undefined) return copy();
      const weight = await source.read(isTied && name === head ? embedding : name);
      const change = changes.get(name);
      if (change === undefined) return weight;
      return change.place.kind === "embedding" ? addToEmbedding(weight, change) : addToRows(weight, change);
    },
  };
}

/** `[outputs, inputs]`. Sums are taken in double precision and rounded once. */
async function addToRows(weight: Float32Array, { rank, scaling, ...read }: StoredChange): Promise<Float32Array> {
  const [a, b, magnitude] = [await read.a(), await read.b(), await read.magnitude?.()];
  const inputs = a.length / rank;
  const sums = new Float64Array(inputs);
  for (let row = 0; row < weight.length / inputs; row++) {
    const own = weight.subarray(row * inputs, (row + 1) * inputs);
    sums.set(own);
    for (let r = 0; r < rank; r++) {
      const factor = scaling * b[row * rank + r]!;
      for (let i = 0; i < inputs; i++) sums[i]! += factor * a[r * inputs + i]!;
    }
    let squares = 0;
    if (magnitude !== undefined) for (const sum of sums) squares += sum * sum;
    const length = magnitude === undefined ? 1 : magnitude[row]! / Math.sqrt(squares);
    for (let i = 0; i < inputs; i++) own[i] = sums[i]! * length;
  }
  return weight;
}

/** `[vocabulary, width]`: what goes in are tokens, and what comes out are columns. */
async function addToEmbedding(weight: Float32Array, { rank, scaling, ...read }: StoredChange): Promise<Float32Array> {
  const [a, b, magnitude] = [await read.a(), await read.b(), await read.magnitude?.()];
  const [width, tokens] = [b.length / rank, a.length / rank];
  const squares = new Float64Array(width);
  for (let token = 0; token < tokens; token++) {
    const own = weight.subarray(token * width, (token + 1) * width);
    for (let column = 0; column < width; column++) {
      let sum = own[column]!;
      for (let r = 0; r < rank; r++) sum += scaling * b[column * rank + r]! * a[r * tokens + token]!;
      own[column] = sum;
      squares[column]! += sum * sum;
    }
  }
  if (magnitude === undefined) return weight;
  const factors = magnitude.map((length, column) => length / Math.sqrt(squares[column]!));
  for (let i = 0; i < weight.length; i++) weight[i]! *= factors[i % width]!;
  return weight;
}
