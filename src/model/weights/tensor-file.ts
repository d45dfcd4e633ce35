import { readStored } from "./encoding.ts";
import { keepOpen } from "./file.ts";
import { readSafetensorsHeader } from "./safetensors.ts";

/** The tensors of one safetensors file, read one at a time. Close it after use. */
export interface TensorFile {
  names(): string[];
  /** Values as float32, row-major; undefined where there is no such tensor. */
  read(name: string): Promise<Float32Array | undefined>;
  close(): Promise<void>;
}

/** @throws UserError if the file is not there or not in safetensors format */
export function openTensorFile(path: string): Promise<TensorFile> {
  return keepOpen(path, async (file) => {
    const tensors = await readSafetensorsHeader(file);
    return {
      names: () => [...tensors.keys()],
      async read(name) {
        const tensor = tensors.get(name);
        return tensor && readStored(file, tensor);
      },
      close: () => file.close(),
    };
  });
}
