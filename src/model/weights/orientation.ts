import type { DecoderConfig } from "../config.ts";
import { familyOf } from "../families/index.ts";
import { partName } from "../families/layout.ts";
import { projectionsOf } from "../projections.ts";
import type { TensorToSave } from "./safetensors-write.ts";

/** The weights that the files of the model's family hold `[inputs, outputs]`: the other way round. */
export function turnedWeights(config: DecoderConfig): ReadonlySet<string> {
  const { layout } = familyOf(config);
  const turned = new Set<string>();
  if (layout.transposed === undefined) return turned;
  for (let layer = 0; layer < config.layers; layer++)
    for (const name of projectionsOf(config)) turned.add(`${partName(layout, layer, name)}.weight`);
  return turned;
}

/** `[rows, columns]` as `[columns, rows]`. */
export function turnedValues(values: Float32Array, [rows, columns]: readonly number[]): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows!; row++)
    for (let column = 0; column < columns!; column++) turned[column * rows! + row] = values[row * columns! + column]!;
  return turned;
}

/** The tensors as the files of the model's family hold them. */
export function turnedTensors(config: DecoderConfig, tensors: readonly TensorToSave[]): TensorToSave[] {
  const turned = turnedWeights(config);
  return tensors.map((tensor) => {
    if (!turned.has(tensor.name)) return tensor;
    const { shape, values } = tensor;
    const read = async (): Promise<Float32Array> =>
      turnedValues(typeof values === "function" ? await values() : values, shape);
    return { ...tensor, shape: shape.toReversed(), values: read };
  });
}
