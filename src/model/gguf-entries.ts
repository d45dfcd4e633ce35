/** A value of a header: whole numbers are written as 32 bits without sign, `{ float }` in single precision. */
export type GgufValue =
  | string
  | boolean
  | number
  | { readonly float: number }
  | readonly string[]
  | readonly boolean[]
  | Int32Array
  | Uint32Array
  | Float32Array;

/** Values of a header by their full names (`llama.block_count`). */
export type GgufEntries = Readonly<Record<string, GgufValue>>;
