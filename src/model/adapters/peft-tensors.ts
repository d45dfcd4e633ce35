import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { isStored, widenedValues } from "../../tensor/stored-weight.ts";
import type { Decoder } from "../decoder.ts";
import { show } from "../fields.ts";
import { readStored, readWeights, type StoredTensor } from "../weights/encoding.ts";
import type { RandomAccessFile } from "../weights/file.ts";
import { turnedValues, turnedWeights } from "../weights/orientation.ts";
import { embeddingModule, headModule, weightModules, type WeightModule } from "./modules.ts";
import { modulePrefix, type AdapterTensor } from "./lora.ts";
import type { LoraOptions } from "./options.ts";
import type { PeftConfig } from "./peft-config.ts";
import { fittingKey, savedTensors, targeting } from "./targets.ts";

/** The two files of an adapter. */
export interface AdapterFiles {
  readonly config: PeftConfig;
  readonly configPath: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  readonly file: RandomAccessFile;
}

const matrixName = /^(.{1,200})\.(?:lora_[AB]\.weight|lora_embedding_[AB]|lora_magnitude_vector)$/;

/**
 * What the files say of an adapter over the model, with a place for every tensor in them. Whether all that must be there
 * is there is seen when it is read.
 * @throws UserError for files that contradict each other or the model
 */
export async function optionsOf(files: AdapterFiles, model: Decoder): Promise<LoraOptions> {
  const { config, configPath, file } = files;
  const modules = weightModules(model.config);
  const { modulesToSave } = config.settings;
  const found = await placeTensors(files, model, modules);
  const options = savedOptions(config, model.config, configPath);
  const { targetModules } = options;
  for (const name of found)
    if (!targetModules.includes(name))
      throw new UserError("invalid-adapter", `${configPath} does not name ${name} among its target_modules`, {
        where: file.path,
        fix: "The two files belong to different adapters.",
      });
  if (found.size === 0)
    throw new UserError("invalid-adapter", "there are no matrices in this file", { where: file.path });
  for (const { name, place } of modules)
    if (place === undefined && targetModules.includes(name)) throw noPlace(name, configPath);
  for (const saved of modulesToSave)
    if (savedTensors(model.config, [saved]).length === 0) throw noPlace(saved, configPath);
  if (config.ensuresTying) requireNothingTied(model, [...targetModules, ...modulesToSave], configPath);
  return options;
}

/**
 * What the configuration alone says of an adapter over a model of that shape, for an estimate.
 * @throws UserError for modules that the model does not have
 */
export function savedOptions(
  { targets, settings }: PeftConfig,
  shape: DecoderConfig,
  where: string,
): LoraOptions & { targetModules: readonly string[] } {
  const told = { where, code: "invalid-adapter" } as const;
  const targetModules = weightModules(shape)
    .filter(targeting(targets, told))
    .map(({ name }) => name);
  // PEFT passes over keys that fit no module
  const ofTargets = (pattern: Readonly<Record<string, number>>): Record<string, number> =>
    Object.fromEntries(Object.entries(pattern).filter(([key]) => targetModules.some(fittingKey(key, told))));
  const { rankPattern, alphaPattern } = settings;
  return { ...settings, targetModules, rankPattern: ofTargets(rankPattern), alphaPattern: ofTargets(alphaPattern) };
}

/** The modules that have matrices. Every other tensor is one trained as a whole, or one that the model has as well. */
async function placeTensors(
  { config, tensors, file }: AdapterFiles,
  model: Decoder,
  modules: readonly WeightModule[],
): Promise<Set<string>> {
  const found = new Set<string>();
  const copied = new Set(savedTensors(model.config, config.settings.modulesToSave).map(({ name }) => name));
  for (const [name, tensor] of tensors) {
    const own = name.startsWith(modulePrefix) ? name.slice(modulePrefix.length) : "";
    const module = matrixName.exec(own)?.[1];
    const isKnown = modules.some(({ name, place }) => name === module && place !== undefined);
    if (module !== undefined && isKnown) found.add(module);
    else if (!copied.has(own)) await requireBaseWeight(own, { name, tensor, file, model });
  }
  return found;
}

/** PEFT saves the weights below a changed embedding as well, and both embeddings where the vocabulary has grown. */
async function requireBaseWeight(
  own: string,
  { name, tensor, file, model }: { name: string; tensor: StoredTensor; file: RandomAccessFile; model: Decoder },
): Promise<void> {
  const weight = own.replace(".base_layer.", ".");
  const [embedding, head] = [embeddingModule(model.config), headModule(model.config)];
  const module = [embedding, head].find((module) => weight === `${module}.weight`);
  if (module === undefined) throw noPlace(name, file.path);
  const variable = module === embedding ? model.embedding : model.outputEmbedding;
  const differs = (what: string): UserError =>
    new UserError("model-mismatch", `${name} is ${what}`, {
      where: file.path,
      fix: "Use the adapter with the model that it was trained on, with its vocabulary.",
    });
  if (tensor.shape.join() !== variable.shape.join())
    throw differs(`[${tensor.shape.join(", ")}], and the model's is [${variable.shape.join(", ")}]`);
  const [theirs, ours] = [
    await readStored(file, tensor),
    isStored(variable) ? widenedValues(variable) : await variable.data<"float32">(),
  ];
  const step = roundingOf(tensor);
  const first = theirs.findIndex(
    (value, i) => !(Math.abs(value - ours[i]!) <= step * Math.abs(ours[i]!) + step * 1e-3),
  );
  if (first >= 0) throw differs(`${theirs[first]} at ${first}, and the model's is ${ours[first]}`);
}

/** By how much a number may have moved when it was saved, as a share of it. */
function roundingOf({ encoding }: StoredTensor): number {
  if (encoding.name === "BF16") return 2 ** -8;
  return encoding.name === "F16" ? 2 ** -10 : 0;
}

function noPlace(name: string, where: string): UserError {
  return new UserError("unsupported-adapter", `${show(name)} has no place in a LoRA adapter of this architecture`, {
    where,
    fix: "Supported are the projections of a layer, the embedding and the output projection.",
  });
}

function requireNothingTied(model: Decoder, modules: readonly string[], where: string): void {
  const { config } = model;
  const isTied =
    config.tiedOutput &&
    [embeddingModule(config), headModule(config)].some((name) => modules.some((end) => name.endsWith(end)));
  if (!isTied) return;
  throw new UserError(
    "unsupported-adapter",
    "ensure_weight_tying is set: one change of a tied embedding and output projection is not supported",
    { where, fix: "Merge the adapter with PEFT (merge_and_unload), and use the merged model." },
  );
}

/**
 * Finds tensors of an adapter's file, to be read row-major as the model has them.
 * @throws UserError for a tensor that is missing or has another shape
 */
export function tensorReader(
  { tensors, file }: Pick<AdapterFiles, "tensors" | "file">,
  config: DecoderConfig,
): (tensor: Pick<AdapterTensor, "name" | "shape">) => () => Promise<Float32Array> {
  const turned = turnedWeights(config);
  return ({ name, shape }) => {
    const isTurned = turned.has(name.slice(modulePrefix.length));
    const stored = requireShaped(name, tensors.get(name), isTurned ? shape.toReversed() : shape, file.path);
    return async () => {
      const values = await readWeights(file, stored);
      return isTurned ? turnedValues(values, stored.shape) : values;
    };
  };
}

function requireShaped(
  name: string,
  tensor: StoredTensor | undefined,
  shape: readonly number[],
  where: string,
): StoredTensor {
  if (tensor === undefined)
    throw new UserError("missing-tensor", `${name} is missing`, {
      where,
      fix: "The file must hold what adapter_config.json names.",
    });
  if (tensor.shape.join() === shape.join()) return tensor;
  throw new UserError(
    "wrong-shape",
    `${name} has the shape [${tensor.shape.join(", ")}], expected [${shape.join(", ")}]`,
    { where, fix: "The adapter belongs to another model, or its configuration to another adapter." },
  );
}
