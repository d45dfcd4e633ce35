import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import { decoderConfigText, parseDecoderConfig } from "../src/model/config-file.ts";
import type { DecoderConfig } from "../src/model/index.ts";
import { decoderTensors } from "../src/model/families/index.ts";
import { ggufOfModel } from "../src/model/gguf-file.ts";
import { writeGguf } from "../src/model/weights/gguf-write.ts";
import { writeSafetensors } from "../src/model/weights/safetensors-write.ts";
import { normalValues, stream } from "../src/system/random.ts";

/** Sizes of models that people train, in the form of a Llama's `config.json`. */
const shapes = {
  "SmolLM2-1.7B": [49_152, 2048, 24, 32, 32, 64, 8192],
  "Qwen2.5-1.5B": [151_936, 1536, 28, 12, 2, 128, 8960],
  "Llama-3.2-3B": [128_256, 3072, 28, 24, 8, 128, 8192],
  quick: [512, 64, 2, 2, 2, 32, 128],
} as const;

export type ShapeName = keyof typeof shapes;
export const shapeNames = Object.keys(shapes) as ShapeName[];

export function configOf(name: ShapeName): DecoderConfig {
  const [vocabulary, width, layers, heads, keyValueHeads, headSize, feedForward] = shapes[name];
  const config = {
    model_type: "llama",
    vocab_size: vocabulary,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads,
    head_dim: headSize,
    intermediate_size: feedForward,
    max_position_embeddings: 8192,
    tie_word_embeddings: true,
  };
  return parseDecoderConfig(config, "bench");
}

/** Writes a model of that shape with random weights: a folder in bfloat16, or a GGUF file in q4_0 (embedding q8_0). */
export async function writeRandomModel(path: string, name: ShapeName, type: "bf16" | "q4_0"): Promise<void> {
  const config = configOf(name);
  const pool = normalValues(2 ** 20, 0.02, stream(1, "random model"));
  const read = async (tensor: string): Promise<Float32Array> => {
    const shape = decoderTensors(config).get(tensor)!;
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    if (shape.length === 1) return values.fill(1);
    const draw = stream(2, tensor);
    for (let at = 0; at < values.length; at += pool.length / 2) {
      const from = draw.below(pool.length / 2);
      values.set(pool.subarray(from, from + Math.min(pool.length / 2, values.length - at)), at);
    }
    return values;
  };
  if (type === "bf16") {
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "config.json"), decoderConfigText(config, "bfloat16"));
    const tensors = [...decoderTensors(config)].map(([tensor, shape]) => ({
      name: tensor,
      shape,
      values: () => read(tensor),
    }));
    return writeSafetensors(join(path, "model.safetensors"), tensors, { type: "bfloat16" });
  }
  const out = createWriteStream(path);
  await writeGguf(ggufOfModel({ config, read }, { entries: {} } as never, { type, name }), async (bytes) => {
    if (!out.write(bytes)) await once(out, "drain");
  });
  out.end();
  await once(out, "finish");
}
