import type { DecoderConfig } from "../config.ts";
import type { StoredEncoding } from "../../tensor/stored-weight.ts";
import { savedTypeOf, type SavedType } from "./saved-type.ts";

/** How a model came: what is written back with it as its author wrote it. */
export interface Origin {
  /** The number format of each tensor by its name; quantized ones (of GGUF files) are left out. */
  readonly types: ReadonlyMap<string, SavedType>;
  /** The configuration as it was read. */
  readonly config: DecoderConfig;
  /** Text of `config.json`; a GGUF file has none. */
  readonly configText?: string;
  /** `generation_config.json` to the byte, where there was one. */
  readonly generationConfig?: Uint8Array;
}

/** The formats of tensors by name. */
export function savedTypesOf(tensors: Iterable<readonly [string, StoredEncoding]>): Map<string, SavedType> {
  const types = new Map<string, SavedType>();
  for (const [name, encoding] of tensors) {
    const type = savedTypeOf(encoding);
    if (type !== undefined) types.set(name, type);
  }
  return types;
}
