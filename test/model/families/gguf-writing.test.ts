import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { ggufNotes, ggufOfModel } from "../../../src/model/gguf-file.ts";
import { readStored } from "../../../src/model/weights/encoding.ts";
import { openFile } from "../../../src/model/weights/file.ts";
import { readGgufHeader } from "../../../src/model/weights/gguf.ts";
import type { GgufContents } from "../../../src/model/weights/gguf-write.ts";
import { openWeights, type WeightSource } from "../../../src/model/weights/index.ts";
import { userError } from "../../user-error.ts";

const families = join(dirname(fileURLToPath(import.meta.url)), "../../fixtures/model/families");
const written = (source: WeightSource): GgufContents =>
  ggufOfModel(source, { entries: {}, notes: [] }, { type: "f32", name: "tiny" });

async function withModel(name: string, use: (source: WeightSource) => void | Promise<void>): Promise<void> {
  const source = await openWeights(join(families, name));
  try {
    await use(source);
  } finally {
    await source.close();
  }
}

/** A value as a header gives it back. */
function asRead(value: unknown): unknown {
  if (typeof value === "object" && value !== null && "float" in value) return Math.fround(value.float as number);
  return value;
}

const inGguf = readdirSync(families).filter((name) => existsSync(join(families, name, "model.gguf")));

describe("a model of each family is written as llama.cpp's package wrote it, which llama.cpp computes", () => {
  test.each(inGguf)("%s", async (name) => {
    await withModel(name, async (source) => {
      const { entries, tensors } = written(source);
      const file = await openFile(join(families, name, "model.gguf"));
      const header = readGgufHeader(file);
      for (const [key, value] of Object.entries(header.metadata)) {
        if (!key.startsWith("tokenizer.")) expect([key, asRead(entries[key])]).toEqual([key, value]);
      }
      expect(tensors.map((tensor) => tensor.name).toSorted()).toEqual([...header.tensors.keys()].toSorted());
      for (const tensor of tensors) {
        const stored = header.tensors.get(tensor.name)!;
        expect([tensor.name, ...tensor.shape]).toEqual([tensor.name, ...stored.shape]);
        const [own, theirs] = [await tensor.values(), await readStored(file, stored)];
        const apart = own.map((value, i) => Math.abs(value - theirs[i]!) / Math.max(1, Math.abs(value)));
        expect([own.length, apart.every((share) => share < 1e-6)]).toEqual([theirs.length, true]);
      }
      await file.close();
    });
  });
});

test.each([
  ["llama-dynamic", "dynamic"],
  ["llama-yarn-explicit", "yarn"],
  ["gemma2-uncapped", "gemma2"],
  ["gemma3-linear", "gemma3_text"],
  ["gpt2-untied", "gpt2"],
  ["olmo2-tied", "olmo2"],
  ["qwen3-window", "biases in q, k, v, o"],
  ["smollm3-window", "smollm3"],
])("what llama.cpp does not compute is refused by name: %s", async (name, reason) => {
  await withModel(name, (source) => expect(() => written(source)).toThrow(userError("unsupported-model", reason)));
});

test.each([
  ["mistral-window", "llama.context_length"],
  ["qwen2-window", "qwen2.context_length"],
  ["phi3", "phi3.context_length"],
])("a window that llama.cpp has not bounds the context, and that is said: %s", async (name, key) => {
  await withModel(name, (source) => {
    const { window } = source.config;
    expect(window).toBeLessThan(source.config.maxPositions);
    expect(written(source).entries[key]).toBe(window);
    expect(ggufNotes(source.config).join()).toContain(`at most ${window} tokens`);
  });
});
