import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { readStored } from "../../../src/model/weights/encoding.ts";
import { openFile } from "../../../src/model/weights/file.ts";
import { openWeights, writeSafetensors, type TensorToSave } from "../../../src/model/weights/index.ts";
import { readSafetensorsHeader } from "../../../src/model/weights/safetensors.ts";
import { userError } from "../../user-error.ts";
import { temporaryFolder } from "../weights/files.ts";
import { named } from "./fixtures.ts";

const inFolder = temporaryFolder();
const { folder } = named.find(([name]) => name === "gpt2")![1];

/** The fixture with other tensors. */
async function withTensors(name: string, changed: (tensor: TensorToSave) => TensorToSave[]): Promise<string> {
  const path = inFolder(name);
  await cp(folder, path, { recursive: true });
  await rm(join(path, "model.safetensors"));
  const file = await openFile(join(folder, "model.safetensors"));
  const tensors: TensorToSave[] = [];
  for (const [key, tensor] of await readSafetensorsHeader(file))
    tensors.push(...changed({ name: key, shape: tensor.shape, values: await readStored(file, tensor) }));
  await file.close();
  await writeSafetensors(join(path, "model.safetensors"), tensors);
  return path;
}

/** As the first files of the family are: no prefix, and the causal mask of each layer beside its weights. */
function asOfOld({ name, ...tensor }: TensorToSave): TensorToSave[] {
  const bare = { ...tensor, name: name.replace("transformer.", "") };
  if (!name.endsWith("ln_1.weight")) return [bare];
  const mask = (kind: string, size: number): TensorToSave => ({
    name: bare.name.replace("ln_1.weight", `attn.${kind}`),
    shape: [1, 1, size, size],
    values: new Float32Array(size * size).fill(1),
  });
  return [bare, mask("bias", 96), mask("masked_bias", 1)];
}

test("a GPT-2 with bare names and masks among its weights is the same model", async () => {
  const old = await openWeights(await withTensors("bare", asOfOld));
  const today = await openWeights(folder);
  expect(old.names().sort()).toEqual(today.names().sort());
  for (const name of today.names()) expect(await old.read(name)).toEqual(await today.read(name));
  await Promise.all([old.close(), today.close()]);
});

test("a tensor under both names is refused", async () => {
  const twice = await withTensors("twice", (tensor) =>
    tensor.name.includes("wte") ? [tensor, ...asOfOld(tensor)] : [tensor],
  );
  await expect(openWeights(twice)).rejects.toThrow(userError("repeated-tensor", "transformer.wte.weight"));
});
