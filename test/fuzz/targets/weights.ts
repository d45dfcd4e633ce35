import { readFileSync } from "node:fs";
import type { RandomStream } from "../../../src/system/random.ts";
import { decoderConfigFromGguf } from "../../../src/model/config-file.ts";
import { readStored, requireFinite } from "../../../src/model/weights/encoding.ts";
import { openWeights } from "../../../src/model/weights/open.ts";
import { readGgufHeader } from "../../../src/model/weights/gguf.ts";
import { readSafetensors } from "../../../src/model/weights/safetensors.ts";
import { tokenizerFromGguf } from "../../../src/text/gguf-tokenizer.ts";
import { changed, type Sample } from "../bytes.ts";
import { files, fixture, inMemory, path } from "../files.ts";
import { changedJson, type Json } from "../json-trees.ts";
import { oneOf, refusing, refusingLater, target, type Target } from "../target.ts";

/** Headers with tensors put together at random: names twice, places that overlap or leave holes, absurd shapes. */
function drawnSafetensors(draws: RandomStream): Uint8Array {
  const { below, next } = draws;
  const header: Record<string, Json> = next() < 0.3 ? { __metadata__: { format: "pt" } } : {};
  let end = 0;
  for (let i = below(5); i > 0; i--) {
    const shape = Array.from({ length: below(4) }, () => below(4));
    const [dtype, width] = oneOf(draws, [
      ["F32", 4],
      ["BF16", 2],
      ["F16", 2],
      ["F32", 4],
      ["I64", 8],
    ] as const);
    const bytes = shape.reduce((product, size) => product * size, width as number);
    const from = next() < 0.9 ? end : below(end + 8);
    header[oneOf(draws, ["a", "b", "c", "__proto__", "é", ""])] = { dtype, shape, data_offsets: [from, from + bytes] };
    end = Math.max(end, from + bytes);
  }
  const text = Buffer.from(next() < 0.4 ? JSON.stringify(header) : changedJson(header, draws));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(end, below(256))]);
}

export const safetensorsSamples = (): Sample[] =>
  [
    fixture("weights/types.safetensors"),
    fixture("weights/tiny-bfloat16/model.safetensors"),
    fixture("adapters/dora/adapter_model.safetensors"),
  ]
    .map((name) => readFileSync(name))
    .map((bytes) => ({ bytes: bytes.subarray(0, 30_000), headers: [[0, 8 + bytes.readUInt32LE(0)]] }));

export const drawSafetensors = (samples: readonly Sample[], draws: RandomStream): Uint8Array =>
  draws.next() < 0.5 ? changed(samples, draws) : drawnSafetensors(draws);

/** Headers of safetensors, and the tensors that they name. */
export const safetensors = (): Target => {
  const samples = safetensorsSamples().slice(0, 1);
  return target(async (draws) => {
    const file = inMemory(drawSafetensors(samples, draws));
    await refusingLater(async () => {
      for (const tensor of (await readSafetensors(file)).tensors.values()) {
        await readStored(file, tensor);
        await refusingLater(() => requireFinite(file, tensor));
      }
    });
  });
};

export const ggufSamples = (): Sample[] => [
  {
    bytes: readFileSync(fixture("weights/tiny.gguf")),
    headers: [
      [0, 64],
      [64, 3000],
    ],
  },
];

/** Headers of GGUF, the configuration and the tokenizer in them, and the tensors that they name. */
export const gguf = (): Target => {
  const samples = ggufSamples();
  return target(async (draws) => {
    const file = inMemory(changed(samples, draws));
    const header = refusing(() => readGgufHeader(file));
    if (header === undefined) return;
    const { metadata, tensors } = header;
    const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
    refusing(() => decoderConfigFromGguf(metadata, { shapes }, "fuzzed"));
    if (draws.next() < 0.1) refusing(() => tokenizerFromGguf(metadata).encode("hi there 12"));
    const tensor = oneOf(draws, [...tensors.values()]);
    if (tensor === undefined) return;
    await readStored(file, tensor);
    await refusingLater(() => requireFinite(file, tensor));
  });
};

const readTree = (name: string): Json => JSON.parse(readFileSync(name, "utf8")) as Json;

/** A folder of shards: the index and the configuration are changed, and what is left is opened. */
export const modelFolder = (): Target => {
  const { write, close, folder } = files();
  const sound = (name: string): string => fixture(`weights/tiny-shards/${name}`);
  const index = readTree(sound("model.safetensors.index.json"));
  const config = readTree(sound("config.json"));
  const shards = Object.values((index as { weight_map: Record<string, string> }).weight_map);
  for (const shard of new Set(shards)) write(shard, readFileSync(sound(shard)));
  const generation = readTree(path("models/tiny/generation_config.json"));
  return target(
    async (draws) => {
      const which = draws.below(4);
      const text = (tree: Json, mine: number): Uint8Array =>
        Buffer.from(which === mine || which === 3 ? changedJson(tree, draws) : JSON.stringify(tree));
      write("model.safetensors.index.json", text(index, 0));
      write("config.json", text(config, 1));
      write("generation_config.json", text(generation, 2));
      await refusingLater(async () => {
        const source = await openWeights(folder);
        await source.read(source.names()[0]!);
        await source.close();
      });
    },
    { close },
  );
};
