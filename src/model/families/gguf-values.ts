/** The values of a GGUF file as they are. */
export function asStored(_: string, values: Float32Array): Float32Array {
  return values;
}

/** Gains that GGUF files hold grown by one, as the norm multiplies by them. */
export function gainsLessOne(name: string, values: Float32Array): Float32Array {
  return name.endsWith("norm.weight") ? values.map((gain) => gain - 1) : values;
}
