import { basename } from "node:path";
import type { Flag } from "../src/config/flags.ts";
import { createAdapter, loadModel, withAdapter } from "../src/model/index.ts";
import { type LoadOptions } from "../src/model/model.ts";
import { full } from "../src/selection/full.ts";
import type { TokenRule } from "../src/contract/index.ts";
import { UserError } from "../src/system/errors.ts";
import { engineText, useEngine } from "../src/tensor/engine.ts";
import { adamW, createLearner } from "../src/training/index.ts";
import { engineFlags, listOf, numberOf, threadCounts } from "./flags.ts";
import type { Bench, Benchmark } from "./harness/benchmark.ts";
import { measurePeak } from "./harness/peak.ts";
import type { Contender } from "./harness/serve.ts";
import type { SideOptions } from "./harness/side.ts";
import { speedColumns, speedRows } from "./harness/speed.ts";
import { randomBatch, stepper } from "./train-step.ts";

const flags = {
  model: { type: "string", value: "DIR", description: "A model folder, best in bfloat16. Required." },
  gguf: { type: "string", value: "LIST", description: "GGUF files of the same model, for our side. Default: none." },
  rows: { type: "string", value: "N", description: "Rows of a step. Default 2." },
  width: { type: "string", value: "N", description: "Tokens of a row. Default 256." },
  rank: { type: "string", value: "N", description: "Rank of the adapter, on all projections. Default 16." },
  threads: engineFlags.threads,
  autocast: {
    type: "boolean",
    description: "Also PEFT under bf16 autocast: minutes a step without bf16 instructions.",
  },
  checkpointing: { type: "boolean", description: "Blocks are computed a second time in the backward pass." },
} as const satisfies Record<string, Flag>;

interface LoraSettings extends Required<Pick<LoadOptions, "weights">> {
  model: string;
  rows: number;
  width: number;
  rank: number;
  threads: number;
  checkpointing: boolean;
}

/** A LoRA training step over frozen weights in the bytes that they came in, and as float32. */
export const lora: Benchmark = {
  summary: "LoRA training step by the form of the frozen weights, against PEFT.",
  flags,
  rounds: 5,
  python: "peft",
  async measure(values, bench) {
    const model = values["model"] as string | undefined;
    if (model === undefined) throw new UserError("missing-option", "there is no model", { fix: "Give --model DIR." });
    const number = (name: "rows" | "width" | "rank", usual: number): number => numberOf(values, name) ?? usual;
    const sizes = { rows: number("rows", 2), width: number("width", 256), rank: number("rank", 16) };
    const files = listOf(values, "gguf");
    const rows = [];
    for (const threads of threadCounts(values, bench)) {
      bench.say(`${sizes.rows} x ${sizes.width} tokens, threads: ${threads}`);
      const settings = { ...sizes, threads, checkpointing: values["checkpointing"] === true };
      const [measured] = await bench.compare(
        sidesOf(model, files, { ...settings, autocast: values["autocast"] === true }, bench),
      );
      const work = { units: sizes.rows * sizes.width };
      rows.push(...speedRows(measured!, work).map((row) => [threads, ...row]));
    }
    const columns = [{ name: "threads", format: "count" } as const, ...speedColumns("tokens")];
    return [{ title: `LoRA step of ${basename(model)}, ${sizes.rows} x ${sizes.width} tokens`, columns, rows }];
  },
  contend: contendLora,
};

function sidesOf(
  model: string,
  files: readonly string[],
  { autocast, ...settings }: Omit<LoraSettings, "model" | "weights"> & { autocast: boolean },
  { python }: Bench,
): SideOptions[] {
  const ours = (name: string, path: string, weights: LoraSettings["weights"]): SideOptions => ({
    ...{ name, program: "ours", benchmark: "lora" },
    settings: { ...settings, model: path, weights },
  });
  const sides = [
    ours("float32", model, "float32"),
    ours("as stored", model, "as-stored"),
    ...files.map((path) => ours(basename(path, ".gguf"), path, "as-stored")),
  ];
  if (python === undefined) return [{ ...sides[0]!, baseline: true }, ...sides.slice(1)];
  const peft = (name: string, options: { autocast: boolean; baseline: boolean }): SideOptions => ({
    ...{ name, program: python, benchmark: "lora", baseline: options.baseline },
    settings: { ...settings, model, autocast: options.autocast },
  });
  const inHalf = autocast ? [peft("PEFT bf16 autocast", { autocast, baseline: false })] : [];
  return [...sides, peft("PEFT float32", { autocast: false, baseline: true }), ...inHalf];
}

/** The library's own training step on random tokens; one is done before. */
async function contendLora(settings: LoraSettings): Promise<Contender> {
  const { model: path, weights, threads, rank, checkpointing } = settings;
  const engine = await useEngine("cpu", { threads });
  const peakGflops = await measurePeak({});
  const trunk = await loadModel(path, { weights });
  const model = withAdapter(trunk, await createAdapter(trunk, { rank }));
  const rule = full() as TokenRule;
  const batch = randomBatch({ ...settings, promptTokens: 1 }, model.config.vocabularySize);
  const learner = createLearner(model, {
    optimizer: adamW(model.parameters),
    schedule: () => 1e-5,
    pass: { gradientCheckpointing: checkpointing },
  });
  const step = stepper(learner, batch, rule);
  await step();
  return { about: `tokensift on ${engineText(engine)}`, peakGflops, round: async () => (await step(), {}) };
}
