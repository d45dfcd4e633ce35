import type { Tensor } from "@tensorflow/tfjs-core";
import type { AttentionFacts } from "./attributes.ts";

/**
 * Kernels read memory without bounds checks, so every operation checks its arguments first.
 * @throws RangeError when the shape differs
 */
export function requireShape(name: string, tensor: Pick<Tensor, "shape">, shape: readonly number[]): void {
  if (tensor.shape.length === shape.length && shape.every((size, axis) => tensor.shape[axis] === size)) return;
  throw new RangeError(`${name} has shape [${tensor.shape.join(", ")}], expected [${shape.join(", ")}]`);
}

/** @throws RangeError when there are not `count` of them, or one is outside `[low, limit)` */
export function requireIndices(name: string, indices: Int32Array, count: number, low: number, limit: number): void {
  requireLength(name, indices, count);
  const bad = indices.findIndex((index) => index < low || index >= limit);
  if (bad >= 0) throw new RangeError(`${name}[${bad}] is ${indices[bad]}, outside [${low}, ${limit})`);
}

/** @throws RangeError when `values` is not `count` long */
export function requireLength(name: string, values: ArrayLike<number>, count: number): void {
  if (values.length !== count) throw new RangeError(`${name} has ${values.length} entries, expected ${count}`);
}

/** @throws RangeError unless `starts` rises from 0 to `total` */
export function requireStarts(starts: Int32Array, total: number): void {
  const rises = starts.every((start, row) => row === 0 || start >= starts[row - 1]!);
  if (starts.length < 2 || starts[0] !== 0 || starts.at(-1) !== total || !rises)
    throw new RangeError(`starts must rise from 0 to the number of tokens, ${total}`);
}

/**
 * Width of one head.
 * @throws RangeError when `width` is not a multiple of `heads`, or `heads` not one of `keyValueHeads`
 */
export function headWidth(width: number, heads: number, keyValueHeads = heads): number {
  if (!(heads >= 1) || width % heads !== 0 || !(keyValueHeads >= 1) || heads % keyValueHeads !== 0)
    throw new RangeError(`width ${width} does not split into ${heads} heads on ${keyValueHeads} key and value heads`);
  return width / heads;
}

/**
 * Refuses facts about attention with which scores would not be finite, or a query would not see its own key.
 * @throws RangeError for a scale or soft cap that is not above 0, or a window below 1
 */
export function requireFacts({ scale, softCap, window }: Partial<AttentionFacts>): void {
  if (scale !== undefined && !(scale > 0 && Number.isFinite(scale)))
    throw new RangeError(`scale is ${scale}, expected above 0`);
  requireSoftCap(softCap);
  if (window !== undefined && !(window >= 1 && Number.isInteger(window)))
    throw new RangeError(`window is ${window}, expected a whole number of at least 1`);
}

/** @throws RangeError for a cap that is not above 0 */
export function requireSoftCap(softCap: number | undefined): void {
  if (softCap !== undefined && !(softCap > 0 && Number.isFinite(softCap)))
    throw new RangeError(`softCap is ${softCap}, expected above 0`);
}
