import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Flag } from "../src/config/flags.ts";
import { createAdapter, forward, gradientStore, withAdapter } from "../src/model/index.ts";
import { createDecoder } from "../src/model/decoder.ts";
import { estimateTrainingMemory } from "../src/model/memory.ts";
import { storedBytesOf } from "../src/model/model-files.ts";
import { openWeights } from "../src/model/weights/index.ts";
import { UserError } from "../src/system/errors.ts";
import { useEngine } from "../src/tensor/engine.ts";
import { adamW } from "../src/training/index.ts";
import { numberOf } from "./flags.ts";
import type { Benchmark } from "./harness/benchmark.ts";
import type { Contender } from "./harness/serve.ts";
import type { Cell } from "./harness/table.ts";
import { shapeNames, writeRandomModel, type ShapeName } from "./random-model.ts";
import { randomBatch } from "./train-step.ts";

const flags = {
  shapes: { type: "string", value: "LIST", description: "Of SmolLM2-1.7B, Qwen2.5-1.5B, Llama-3.2-3B (default: all)." },
  types: { type: "string", value: "LIST", description: "Of bf16 and q4_0 (default: both)." },
  tokens: { type: "string", value: "N", description: "Tokens of the one row. Default 1,024." },
  rank: { type: "string", value: "N", description: "Rank of the adapter, on all projections. Default 16." },
  threads: { type: "string", value: "N", description: "Default: all cores." },
  folder: {
    type: "string",
    value: "PATH",
    description: "Where the models are written. Default: the temporary folder.",
  },
} as const satisfies Record<string, Flag>;

interface TrunkSettings {
  path: string;
  tokens: number;
  rank: number;
  threads: number;
}

/** The memory of LoRA over frozen weights in their files: random models of the shapes that people train. */
export const trunk: Benchmark = {
  summary: "Peak memory of a LoRA step over frozen weights in their files, with gradient checkpointing.",
  flags,
  rounds: 1,
  async measure(values, bench) {
    const list = <T extends string>(name: "shapes" | "types", all: readonly T[]): T[] => {
      const asked = ((values[name] as string | undefined) ?? all.join(",")).split(",");
      const unknown = asked.find((each) => !all.includes(each as T));
      if (unknown !== undefined) throw new UserError("invalid-option", `--${name} ${unknown}`);
      return asked as T[];
    };
    const shapes = list<ShapeName>("shapes", bench.quick ? ["quick"] : shapeNames.filter((name) => name !== "quick"));
    const types = list("types", ["bf16", "q4_0"] as const);
    const number = (name: "tokens" | "rank" | "threads", usual: number): number => numberOf(values, name) ?? usual;
    const sizes = { tokens: number("tokens", bench.quick ? 32 : 1024), rank: number("rank", 16) };
    const threads = number("threads", bench.cores);
    const rows: Cell[][] = [];
    for (const shape of shapes)
      for (const type of types) {
        const folder = mkdtempSync(join((values["folder"] as string | undefined) ?? tmpdir(), "tokensift-bench-"));
        try {
          bench.say(`${shape}, ${type}`);
          const path = join(folder, type === "bf16" ? "model" : "model.gguf");
          await writeRandomModel(path, shape, type);
          const settings: TrunkSettings = { path, ...sizes, threads };
          const [measured] = await bench.compare([{ name: type, program: "ours", benchmark: "trunk", settings }]);
          const [round] = measured![0]!.rounds;
          const { fileBytes, estimate } = round as unknown as { fileBytes: number; estimate: number };
          const both = round!.peakBytes + fileBytes;
          rows.push([shape, type, round!.peakBytes, fileBytes, both, estimate, estimate / both, round!.cpuSeconds]);
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      }
    const columns = [
      { name: "shape", format: "text" },
      { name: "weights", format: "text" },
      { name: "peak MB", format: "megabytes" },
      { name: "files MB", format: "megabytes" },
      { name: "both MB", format: "megabytes" },
      { name: "estimate MB", format: "megabytes" },
      { name: "estimate / both", format: "number" },
      { name: "CPU", format: "milliseconds" },
    ] as const;
    return [{ title: `A LoRA step of rank ${sizes.rank} on ${sizes.tokens} tokens`, columns, rows }];
  },
  contend: contendTrunk,
};

/** One step in the one round: forward, backward, update. */
async function contendTrunk({ path, tokens, rank, threads }: TrunkSettings): Promise<Contender> {
  await useEngine("cpu", { threads });
  const weights = await openWeights(path);
  const stored = storedBytesOf(weights);
  const below = await createDecoder(weights.config, (name) => weights.stored(name) ?? weights.read(name));
  const model = withAdapter(below, await createAdapter(below, { rank }));
  const optimizer = adamW(model.parameters);
  const batch = randomBatch({ rows: 1, width: tokens, promptTokens: 1 }, weights.config.vocabularySize);
  const fileBytes = [...stored.values()].reduce((sum, bytes) => sum + bytes, 0);
  const sizes = { tokens, responseTokens: tokens - 1, adapter: { rank }, gradientCheckpointing: true, stored };
  const { peak: estimate } = estimateTrainingMemory(weights.config, sizes);
  return {
    about: "tokensift",
    async round() {
      const gradients = gradientStore();
      using pass = forward(model, batch, { gradients, gradientCheckpointing: true });
      await pass.read(["logProb"]);
      pass.backward({ logProb: Float32Array.from(batch.response, (mark) => -mark / tokens) });
      optimizer.update(gradients, { learningRate: 1e-4, gradientScale: 1 });
      gradients.clear();
      return { fileBytes, estimate };
    },
  };
}
