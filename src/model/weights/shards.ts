import { UserError } from "../../system/errors.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { valueBytes } from "./saved-type.ts";
import type { TensorToSave } from "./safetensors-write.ts";

/** A file of weights, and what is in it. */
export interface Shard {
  file: string;
  tensors: TensorToSave[];
}

export const indexFile = "model.safetensors.index.json";

/** Whether a file holds weights, or their index: of any number of shards. */
export function isWeightFile(name: string): boolean {
  return name === indexFile || /^model(-\d{5}-of-\d{5})?\.safetensors$/.test(name);
}

/** As in transformers 5. */
export const usualShardSize = "50GB";

const units = { KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/**
 * Bytes of a size as transformers writes it: "500MB", with units of 1,000; a number is bytes.
 * @throws UserError for anything else
 */
export function sizeInBytes(size: number | string, option = "shardSize"): number {
  const [, digits, unit] = /^([1-9]\d{0,14}) ?([KMGT]B)$/.exec(String(size)) ?? [];
  const bytes = unit === undefined ? Number(size) : Number(digits) * units[unit as keyof typeof units];
  if (Number.isFinite(bytes) && bytes >= 1) return bytes;
  throw new UserError("invalid-option", `${option} must be a size like 5GB, not ${JSON.stringify(size)}`, {
    fix: "Give a whole number and KB, MB, GB or TB.",
  });
}

/**
 * Divides a model among files as transformers does: tensors in their order, a new file where the next one would make it
 * larger than the limit. A tensor that alone is larger has a file of its own. One file has no number.
 * @param limit bytes
 */
export function shardsOf(tensors: readonly TensorToSave[], limit: number): Shard[] {
  const groups: TensorToSave[][] = [];
  let open: TensorToSave[] = [];
  let filled = 0;
  for (const tensor of tensors) {
    const size = tensorBytes(tensor);
    if (size > limit) {
      groups.push([tensor]);
      continue;
    }
    if (filled + size > limit) {
      groups.push(open);
      [open, filled] = [[], 0];
    }
    open.push(tensor);
    filled += size;
  }
  if (open.length > 0) groups.push(open);
  if (groups.length === 1) return [{ file: "model.safetensors", tensors: groups[0]! }];
  const digits = (number: number): string => String(number).padStart(5, "0");
  return groups.map((group, i) => ({
    file: `model-${digits(i + 1)}-of-${digits(groups.length)}.safetensors`,
    tensors: group,
  }));
}

/** Text of `model.safetensors.index.json`, as transformers 5 writes it. */
export function indexText(shards: readonly Shard[]): string {
  const all = shards.flatMap(({ file, tensors }) => tensors.map((tensor) => ({ file, tensor })));
  const sum = (of: (tensor: TensorToSave) => number): number =>
    all.reduce((total, { tensor }) => total + of(tensor), 0);
  const places = all.map(({ file, tensor }) => [tensor.name, file] as const);
  const index = {
    metadata: { total_parameters: sum(({ shape }) => sizeOf(shape)), total_size: sum(tensorBytes) },
    weight_map: Object.fromEntries(places.toSorted(([one], [other]) => (one < other ? -1 : 1))),
  };
  return `${JSON.stringify(index, null, 2)}\n`;
}

function tensorBytes({ shape, type = "float32" }: TensorToSave): number {
  return sizeOf(shape) * valueBytes(type);
}
