import type { Flag } from "../src/config/flags.ts";
import { stream } from "../src/system/random.ts";
import { engineFlags, matmulOf, numberOf, threadCounts } from "./flags.ts";
import type { Benchmark } from "./harness/benchmark.ts";
import type { Contender } from "./harness/serve.ts";
import { bothSides } from "./harness/side.ts";
import { speedColumns, speedRows } from "./harness/speed.ts";
import type { Cell } from "./harness/table.ts";
import { makeModel, modelFlags, modelOf, type ModelSettings } from "./models.ts";

interface GenerateSettings extends ModelSettings {
  promptTokens: number;
  newTokens: number;
  threads: number;
  matmul: ReturnType<typeof matmulOf>;
}

const flags = {
  ...modelFlags,
  batch: { type: "string", value: "N", description: "Rows at a time. Default: 1, then 16." },
  prompt: { type: "string", value: "N", description: "Tokens of each prompt. Default 64." },
  new: { type: "string", value: "N", description: "New tokens of each row. Default 64." },
  ...engineFlags,
} as const satisfies Record<string, Flag>;

/** Greedy continuations with a key-value cache, no row ending early. Computing the prompts is part of the time. */
export const generate: Benchmark = {
  summary: "New tokens a second, against transformers' generate.",
  flags,
  rounds: 5,
  async measure(values, bench) {
    const { quick } = bench;
    const model = await modelOf(values, quick);
    const batch = numberOf(values, "batch");
    const batches = batch === undefined ? (quick ? [2] : [1, 16]) : [batch];
    const promptTokens = numberOf(values, "prompt") ?? (quick ? 4 : 64);
    const newTokens = numberOf(values, "new") ?? (quick ? 4 : 64);
    const rows: Cell[][] = [];
    for (const threads of threadCounts(values, bench)) {
      bench.say(`${promptTokens} + ${newTokens} tokens, ${threads} threads`);
      const settings: GenerateSettings = { ...model, promptTokens, newTokens, threads, matmul: matmulOf(values) };
      const results = await bench.compare(
        bothSides("generate", settings, { ...bench, called: "transformers" }),
        batches.map((batch) => ({ batch })),
      );
      results.forEach((measured, i) => {
        const units = batches[i]! * newTokens;
        rows.push(...speedRows(measured, { units }).map((row) => [batches[i]!, threads, ...row]));
      });
    }
    const columns = [
      { name: "batch", format: "count" },
      { name: "threads", format: "count" },
      ...speedColumns("new tokens"),
    ] as const;
    return [{ title: `${newTokens} new tokens behind prompts of ${promptTokens}`, columns, rows }];
  },
  async contend(settings: GenerateSettings): Promise<Contender> {
    const { engineText, useEngine } = await import("../src/tensor/engine.ts");
    const { generate: continuePrompts } = await import("../src/model/index.ts");
    const { threads, matmul, promptTokens, newTokens } = settings;
    const engine = await useEngine("cpu", { threads, matmul });
    const model = await makeModel(settings);
    const draw = stream("bench", "prompts");
    const promptsOf = (batch: number): number[][] =>
      Array.from({ length: batch }, () =>
        Array.from({ length: promptTokens }, () => draw.below(model.config.vocabularySize)),
      );
    const round = async ({ batch }: { batch: number }) => {
      const options = { maxNewTokens: newTokens, stop: [], batchSize: batch, fastAlone: true };
      const rows = await continuePrompts(model, promptsOf(batch), options);
      return { newTokens: rows.reduce((sum, { ids }) => sum + ids.length, 0) };
    };
    await round({ batch: 1 });
    return { about: `tokensift on ${engineText(engine)}`, round };
  },
};
