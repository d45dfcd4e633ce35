import { join } from "node:path";
import { UserError } from "../../system/errors.ts";
import { show } from "../fields.ts";
import { readStored } from "../weights/encoding.ts";
import { openFile } from "../weights/file.ts";
import { turnedValues, turnedWeights } from "../weights/orientation.ts";
import { readJson } from "../weights/read-json.ts";
import { readSafetensors } from "../weights/safetensors.ts";
import type { WeightSource } from "../weights/source.ts";
import { modulePrefix, tensorOfCopy, tensorsOfTarget } from "./lora.ts";
import { embeddingModule, headModule } from "./modules.ts";
import { loraSettings, targetsOf } from "./options.ts";
import { baseOf, files, requireAdapterFiles } from "./peft.ts";
import { parsePeftConfig } from "./peft-config.ts";
import { requireShaped, savedOptions } from "./peft-tensors.ts";
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
  await requireAdapterFiles(folder);
  const configPath = join(folder, files.config);
  const peft = parsePeftConfig(await readJson(configPath), configPath);
  const { config } = model;
  const settings = loraSettings(savedOptions(peft, config, configPath), config);
  const turned = turnedWeights(config);
  const file = await openFile(join(folder, files.matrices));
  try {
    const { tensors, metadata } = await readSafetensors(file);
    const used = new Set<string>();
    const reader = ({ name, shape }: { name: string; shape: readonly number[] }): Read => {
      const isTurned = turned.has(name.slice(modulePrefix.length));
      const stored = requireShaped(name, tensors.get(name), isTurned ? shape.toReversed() : shape, file.path);
      used.add(name);
      return async () => {
        const values = await readStored(file, stored);
        return isTurned ? turnedValues(values, stored.shape) : values;
      };
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
    return {
      changes: new Map(changes),
      copies: new Map(copies),
      ...baseOf(peft, metadata),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
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
