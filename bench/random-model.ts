import { createWriteStream } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { join } from "node:path";
import { decoderConfigText } from "../src/model/config-file.ts";
import { decoderTensors } from "../src/model/families/index.ts";
import { ggufOfModel } from "../src/model/gguf-file.ts";
import { writeGguf } from "../src/model/weights/gguf-write.ts";
import { writeSafetensors } from "../src/model/weights/safetensors-write.ts";
import { sizeOf } from "../src/tensor/shape.ts";
import { normalValues, stream } from "../src/system/random.ts";
import { llamaOf } from "./models.ts";

/** Sizes of models that people train. */
const shapes = {
  "SmolLM2-1.7B": { vocabulary: 49_152, width: 2048, layers: 24, heads: 32, keyValueHeads: 32, feedForward: 8192 },
  "Qwen2.5-1.5B": { vocabulary: 151_936, width: 1536, layers: 28, heads: 12, keyValueHeads: 2, feedForward: 8960 },
  "Llama-3.2-3B": { vocabulary: 128_256, width: 3072, layers: 28, heads: 24, keyValueHeads: 8, feedForward: 8192 },
  quick: { vocabulary: 512, width: 64, layers: 2, heads: 2, keyValueHeads: 2, feedForward: 128 },
};

export type ShapeName = keyof typeof shapes;
export const shapeNames = Object.keys(shapes) as ShapeName[];

/** Writes a model of that shape with random weights: a folder in bfloat16, or a GGUF file in q4_0 (embedding q8_0). */
export async function writeRandomModel(path: string, name: ShapeName, type: "bf16" | "q4_0"): Promise<void> {
  const config = llamaOf(shapes[name]);
  const pool = normalValues(2 ** 20, 0.02, stream(1, "random model"));
  const read = async (tensor: string): Promise<Float32Array> => {
    const shape = decoderTensors(config).get(tensor)!;
    const values = new Float32Array(sizeOf(shape));
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
