import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../../src/config/index.ts";
import { openArrow } from "../../../src/data/arrow/read.ts";
import { gatherInputs, type RunInputs } from "../../../src/recipes/kit/inputs.ts";
import type { ArmReporter } from "../../../src/recipes/kit/reporter.ts";
import { perform } from "../../../src/recipes/kit/run-from-command-line.ts";
import { orealRecipe, type OrealRun } from "../../../src/recipes/oreal/recipe.ts";
import { useEngine } from "../../../src/tensor/engine.ts";
import type { RunFolderMode } from "../../../src/training/run-folder.ts";
import { loop } from "../../../trainers/oreal.ts?loop";
import { tensorCount } from "../../training/reference.ts";

export interface Options {
  set?: string[];
  mode?: RunFolderMode;
  /** Called after every iteration; throwing ends the run there. */
  afterIteration?: (arm: string, iteration: number) => void;
  interrupted?: () => boolean;
}

/** The run of `trainers/oreal.ts`, in this process. Gives what was said, and the tensors that are left. */
export async function runHere(
  path: string,
  { set = [], mode = "new", afterIteration, interrupted = () => false }: Options = {},
): Promise<{ notes: string[]; output: string; table: string; tensors: number }> {
  const { config, resolvedYaml } = loadConfig(orealRecipe.config, path, { set });
  const notes: string[] = [];
  const reporter: ArmReporter = { note: (text) => notes.push(text), working: () => undefined, step: () => undefined };
  const watched = async ({ arms }: OrealRun): Promise<void> =>
    loop({
      async *arms() {
        for await (const arm of arms())
          yield {
            ...arm,
            async record(iteration) {
              await arm.record(iteration);
              afterIteration?.(arm.name, iteration.rollouts.iteration);
            },
          };
      },
    });
  const engine = await useEngine("cpu", { threads: 1 });
  const before = tensorCount();
  let inputs: RunInputs | undefined;
  let table: string;
  try {
    ({ table } = await perform(orealRecipe, watched, {
      ...{ config, resolvedYaml, mode, interrupted },
      allowChanges: false,
      inputs: async () => (inputs ??= await gatherInputs(config, engine, reporter)),
      reporterOf: () => reporter,
      command: "npx tsx trainers/oreal.ts",
    }));
  } finally {
    await inputs?.close();
  }
  return { notes, output: config.output, table, tensors: tensorCount() - before };
}

export type Metrics = Record<string, number>;

export function metricsOf(folder: string): Metrics[] {
  const lines = readFileSync(join(folder, "metrics.jsonl"), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Metrics);
}

export interface Stored {
  question: number;
  sample: number;
  verdict: string;
  text: string;
  finished: boolean;
  prompt_ids: Int32Array;
  response_ids: Int32Array;
  reward: number;
  rewards?: Float64Array;
  advantage: number;
  kept: boolean;
  weights: Float32Array | null;
  log_probs: Float32Array | null;
}

/** The stored responses of an iteration, counted from 1. */
export function storedOf(folder: string, iteration: number): Stored[] {
  const table = openArrow(join(folder, `trajectories/iteration-${iteration}.arrow`));
  const names = [...table.columns.keys()];
  const rows = Array.from({ length: table.rows }, (_, i) => table.row(i, names) as unknown as Stored);
  table.close();
  return rows;
}
