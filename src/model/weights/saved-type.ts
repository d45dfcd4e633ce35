import type { StoredEncoding } from "../../tensor/stored-weight.ts";

/** Number formats that can be written, by their names in `config.json`; anything but float32 rounds. */
export type SavedType = "float32" | "bfloat16" | "float16";

/** What safetensors files call them. */
export const headerNames: Record<SavedType, string> = { float32: "F32", bfloat16: "BF16", float16: "F16" };

/** Of one number. */
export const valueBytes = (type: SavedType): number => (type === "float32" ? 4 : 2);

/** The format in which an encoding's numbers can be written as they are; a quantized one has none. */
export function savedTypeOf({ name }: StoredEncoding): SavedType | undefined {
  return (Object.keys(headerNames) as SavedType[]).find((type) => headerNames[type] === name);
}

/** The narrowest format that holds the numbers of all of them. */
export function commonType(types: Iterable<SavedType>): SavedType {
  const [only, ...others] = new Set(types);
  return only === undefined || others.length > 0 ? "float32" : only;
}
