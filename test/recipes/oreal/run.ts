import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../../src/config/index.ts";
import { orealDefinition } from "../../../src/recipes/oreal/config.ts";
import { openArrow } from "../../../src/data/index.ts";
import { gatherMaterials, type ArmTalk } from "../../../src/recipes/kit/index.ts";
import { orealValues, runOreal, type OrealArm } from "../../../src/recipes/oreal/index.ts";
import { useEngine } from "../../../src/tensor/engine.ts";
import type { RunFolderMode } from "../../../src/training/index.ts";
import { tensorCount } from "../../training/reference.ts";

export interface Options {
  set?: string[];
  mode?: RunFolderMode;
  /** Called after every iteration; throwing ends the run there. */
  afterIteration?: (arm: string, iteration: number) => void;
  interrupted?: () => boolean;
}

/** What `trainers/oreal.ts` does, in this process. Gives what was said, and the tensors that are left. */
export async function runHere(
  path: string,
  { set = [], mode = "new", afterIteration, interrupted = () => false }: Options = {},
): Promise<{ notes: string[]; output: string; table: string; tensors: number }> {
  const { config, resolvedYaml } = loadConfig(orealDefinition(orealValues), path, { set });
  const notes: string[] = [];
  const talk: ArmTalk = { note: (text) => notes.push(text), working: () => undefined, step: () => undefined };
  const runArm = async (arm: OrealArm): Promise<void> => {
    for (const iteration of arm.iterations()) {
      const kept = arm.keep(await arm.sample(iteration));
      const weighed = await arm.weigh(kept);
      const reward = await arm.teachRewardModel(weighed);
      await arm.record(weighed, reward, await arm.teachPolicy(weighed));
      afterIteration?.(arm.name, iteration);
    }
    await arm.finish();
  };
  const engine = await useEngine("cpu", { threads: 1 });
  const before = tensorCount();
  const { table } = await runOreal(
    {
      ...{ config, resolvedYaml, mode, interrupted },
      allowChanges: false,
      materials: () => gatherMaterials(config, engine, talk),
      talkOf: () => talk,
      command: "npx tsx trainers/oreal.ts",
    },
    runArm,
  );
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
  response_ids: Int32Array;
  reward: number;
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
