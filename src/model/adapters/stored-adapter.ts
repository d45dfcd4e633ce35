import { UserError } from "../../system/errors.ts";
import { show } from "../fields.ts";
import { readStored } from "../weights/encoding.ts";
import type { WeightSource } from "../weights/source.ts";
import { modulePrefix, tensorOfCopy, tensorsOfTarget, type AdapterTensor } from "./lora.ts";
import { embeddingModule, headModule } from "./modules.ts";
import { loraSettings, targetsOf } from "./options.ts";
import { baseOf, openAdapterFiles } from "./peft.ts";
import { savedOptions, tensorReader } from "./peft-tensors.ts";
import { savedTensors, type Target } from "./targets.ts";

type Read = () => Promise<Float32Array>;

/** What an adapter does to one weight: it acts as `weight + scaling * b a`. */
export interface StoredChange extends Pick<Target, "place" | "rank" | "scaling"> {
  /** `[rank, inputs]`, row-major; of an embedding the inputs are the vocabulary. */
  readonly a: Read;
  /** `[outputs, rank]`, row-major. */
  readonly b: Read;
  /** `[outputs]`, with DoRA: the lengths of the changed weight's rows. */
  readonly magnitude?: Read;
}

/** An adapter in a PEFT folder, read one matrix at a time and without an engine. Close it after use. */
export interface StoredAdapter {
  /** By the Hugging Face name of the weight. */
  readonly changes: ReadonlyMap<string, StoredChange>;
  /** Weights that were trained as a whole, by their Hugging Face names. */
  readonly copies: ReadonlyMap<string, Read>;
  /** The model that it was trained over: a path, or a name on a hub. */
  readonly baseModel?: string;
  /** The fingerprint of that model, if the adapter's file says it. */
  readonly baseFingerprint?: string;
  close(): Promise<void>;
}

/**
 * @param model that it lies over
 * @throws UserError if the folder holds no such adapter, or one that does not fit the model
 */
export async function openStoredAdapter(
  folder: string,
  model: Pick<WeightSource, "config" | "read">,
): Promise<StoredAdapter> {
  const { config } = model;
  return openAdapterFiles(folder, async (opened) => {
    const { config: peft, configPath, file, tensors } = opened;
    const settings = loraSettings(savedOptions(peft, config, configPath), config);
    const readerOf = tensorReader(opened, config);
    const used = new Set<string>();
    const reader = (tensor: AdapterTensor): Read => {
      const read = readerOf(tensor);
      used.add(tensor.name);
      return read;
    };
    const changes = targetsOf(settings, config).map((target): [string, StoredChange] => {
      const [a, b, magnitude] = tensorsOfTarget(target, settings.dora === true).map(reader);
      const { module, place, rank, scaling } = target;
      return [`${module}.weight`, { place, rank, scaling, a: a!, b: b!, ...(magnitude && { magnitude }) }];
    });
    const copied = savedTensors(config, settings.modulesToSave ?? []);
    const copies = copied.map((copy): [string, Read] => [copy.name, reader(tensorOfCopy(copy))]);
    for (const [name, tensor] of tensors)
      if (!used.has(name)) await requireSame(name, () => readStored(file, tensor), { model, where: file.path });
    return { changes: new Map(changes), copies: new Map(copies), ...baseOf(opened), close: () => file.close() };
  });
}

/** PEFT may save an embedding of the model below as well, which must be the model's. */
async function requireSame(
  name: string,
  read: Read,
  { model, where }: { model: Pick<WeightSource, "config" | "read">; where: string },
): Promise<void> {
  const weight = name.slice(modulePrefix.length).replace(".base_layer.", ".");
  const [embedding, head] = [embeddingModule, headModule].map((module) => `${module(model.config)}.weight`);
  if (!name.startsWith(modulePrefix) || (weight !== embedding && weight !== head))
    throw new UserError("unsupported-adapter", `${show(name)} has no place in this adapter`, {
      where,
      fix: "Use the adapter with the model that it was trained on.",
    });
  const base = await model.read(model.config.tiedOutput ? embedding! : weight);
  const theirs = await read();
  const rounding = 2 ** -8; // of bfloat16
  const differs = (value: number, i: number): boolean => !(Math.abs(value - base[i]!) <= rounding * Math.abs(base[i]!));
  if (theirs.length === base.length && !theirs.some(differs)) return;
  throw new UserError("model-mismatch", `${name} is not the model's`, {
    where,
    fix: "Use the adapter with the model that it was trained on, with its vocabulary.",
  });
}
