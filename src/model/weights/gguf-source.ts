import { UserError } from "../../system/errors.ts";
import { decoderConfigFromGguf } from "../config-file.ts";
import { ggufFamilyNamed, type GgufTensorFacts } from "../families/index.ts";
import { hubNames } from "../families/gguf-tensors.ts";
import { show } from "../fields.ts";
import { checkTensors } from "./check-tensors.ts";
import { heldAs, readStored, readWeights, requireFinite, storedWeight, type StoredTensor } from "./encoding.ts";
import { keepOpen, type RandomAccessFile } from "./file.ts";
import { fingerprint } from "./fingerprint.ts";
import { readGgufHeader, type GgufHeader } from "./gguf.ts";
import { savedTypesOf } from "./origin.ts";
import type { WeightSource } from "./source.ts";

/** Tensors that are no weights: they say how heads rotate. */
const rotation = {
  all: "rope_freqs.weight",
  short: "rope_factors_short.weight",
  long: "rope_factors_long.weight",
};

/** Opens a GGUF file; quantized tensors are decoded as they are read. */
export function openGguf(path: string): Promise<WeightSource> {
  return keepOpen(path, readGguf);
}

async function readGguf(file: RandomAccessFile): Promise<WeightSource> {
  const where = file.path;
  const { metadata, tensors: stored } = readGgufHeader(file);
  refuseSplit(metadata, where);
  refuseAdapter(metadata, where);
  const { gguf, layout } = ggufFamilyNamed(metadata["general.architecture"], where);
  const huggingFaceName = hubNames(layout);
  const tensors = new Map<string, StoredTensor>();
  for (const [ggufName, tensor] of stored) {
    const name = huggingFaceName(ggufName);
    if (tensors.has(name)) throw new UserError("repeated-tensor", `two tensors stand for ${name}`, { where });
    if (!Object.values(rotation).includes(name)) tensors.set(name, tensor);
  }
  const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
  const config = decoderConfigFromGguf(metadata, { shapes, ...(await readFactors(file, stored)) }, where);
  checkTensors(config, shapes, where);
  const locate = (name: string): StoredTensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new UserError("missing-tensor", `there is no tensor ${show(name)}`, { where });
    return tensor;
  };
  return {
    config,
    format: "gguf",
    names: () => [...tensors.keys()],
    shape: (name) => [...locate(name).shape],
    async read(name) {
      const values = await readWeights(file, locate(name));
      return gguf.huggingFaceValues?.(name, values, config) ?? values;
    },
    stored: (name) => storedWeight(file, locate(name), gguf.pairedHead?.(name, config)),
    checkStored: (name) => requireFinite(file, locate(name)),
    held: (name) => heldAs(locate(name)),
    metadata,
    fingerprint: await fingerprint(config, new Map([...tensors].map(([name, tensor]) => [name, { tensor, file }]))),
    origin: { types: savedTypesOf([...tensors].map(([name, { encoding }]) => [name, encoding])), config },
    requireUnchanged: file.requireUnchanged,
    close: () => file.close(),
  };
}

function refuseSplit(metadata: GgufHeader["metadata"], where: string): void {
  const parts = metadata["split.count"];
  if (parts === undefined || parts === 0 || parts === 1) return;
  throw new UserError("unsupported-model", `this is one of ${show(parts)} parts of a model`, {
    where,
    fix: "Join the parts first: llama-gguf-split --merge.",
  });
}

function refuseAdapter(metadata: GgufHeader["metadata"], where: string): void {
  if (metadata["general.type"] !== "adapter") return;
  throw new UserError("missing-model", "this file holds only an adapter", {
    where,
    fix: "Name the model below it. Adapters are read from PEFT folders; GGUF files of them are for llama.cpp.",
  });
}

async function readFactors(
  file: RandomAccessFile,
  stored: GgufHeader["tensors"],
): Promise<Pick<GgufTensorFacts, "ropeFactors" | "longRopeFactors">> {
  const read = async (name: string): Promise<Float32Array | undefined> => {
    const tensor = stored.get(name);
    return tensor === undefined ? undefined : readStored(file, tensor);
  };
  const [ropeFactors, short, long] = [await read(rotation.all), await read(rotation.short), await read(rotation.long)];
  if ((short === undefined) !== (long === undefined)) {
    const missing = short === undefined ? rotation.short : rotation.long;
    throw new UserError("missing-tensor", `there is no tensor ${missing}, but its like`, { where: file.path });
  }
  return { ...(ropeFactors && { ropeFactors }), ...(short && long && { longRopeFactors: { short, long } }) };
}
