/** Numbers in a tensor of this shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Numbers in tensors of these shapes. */
export function totalSize(shapes: Iterable<readonly number[]>): number {
  return [...shapes].reduce((sum, shape) => sum + sizeOf(shape), 0);
}
