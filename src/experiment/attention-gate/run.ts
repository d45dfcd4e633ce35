import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { AttentionGateConfig } from "../../config/index.ts";
import { isRunFolder, openRunFolder, type RunFolder, type RunFolderMode } from "../../training/index.ts";
import { refuseChanges, stepsDone, undoneIfFruitless } from "../comparison.ts";
import type { Materials } from "../materials.ts";
import { Interrupted, type ArmTalk } from "../talk.ts";
import type { CacheResult } from "./answers.ts";
import { gateSteps, openGateArm } from "./arm.ts";
import { answerFrozen } from "./frozen.ts";
import { cacheTable } from "./table.ts";
import type { GateArm } from "./work.ts";

export interface AttentionGateOptions {
  config: AttentionGateConfig;
  /** The configuration as YAML, for the run folder. */
  resolvedYaml: string;
  mode: RunFolderMode;
  allowChanges: boolean;
  materials: () => Promise<Materials>;
  talkOf: (arm: string) => ArmTalk;
  interrupted: () => boolean;
  command: string;
}

/** Subfolder of the model that is trained the same without gates. */
export const controlName = "control";

/**
 * Trains the gates in the output folder and the control in a subfolder; then answers over the gates' cache and over
 * those of the baselines, which keep as many entries. Arms that are complete are not run again.
 * @param runArm trains one opened arm to its end
 * @returns the main run's folder, and the table of all caches
 */
export async function runAttentionGate(
  options: AttentionGateOptions,
  runArm: (arm: GateArm) => Promise<void>,
): Promise<{ path: string; table: string }> {
  const { config, mode } = options;
  using main = openRunFolder(config.output, mode);
  const materials = await undoneIfFruitless(main, async () => {
    refuseChanges(main, options);
    main.writeConfig(options.resolvedYaml);
    const gathered = await options.materials();
    await runToEnd(main, { name: "gates", gated: true }, config, options, gathered, runArm);
    return gathered;
  });
  const results = answersOf(main);
  const budget = results[0]?.kept ?? 1;
  if (config.control) {
    const output = join(config.output, controlName);
    const own: AttentionGateConfig = { ...config, output };
    using run = openRunFolder(output, isRunFolder(output) ? "resume" : "new");
    await undoneIfFruitless(run, async () => {
      refuseChanges(run, { config: own, allowChanges: options.allowChanges });
      run.writeConfig(stringify(own));
      await runToEnd(run, { name: controlName, gated: false, budget }, own, options, materials, runArm);
    });
    results.push(...answersOf(run));
  } else if (results.length > 0) results.push(...(await answerFrozen(options, materials, budget)));
  const table = cacheTable(results);
  main.writeFile("results.json", `${JSON.stringify({ budget, caches: results }, null, 2)}\n`);
  main.writeFile("table.txt", table);
  return { path: main.path, table };
}

async function runToEnd(
  run: RunFolder,
  arm: { name: string; gated: boolean; budget?: number },
  config: AttentionGateConfig,
  { allowChanges, talkOf, interrupted, command }: AttentionGateOptions,
  materials: Materials,
  runArm: (arm: GateArm) => Promise<void>,
): Promise<void> {
  const talk = talkOf(arm.name);
  const resume = run.previousConfig !== undefined;
  if (resume && stepsDone(run) >= gateSteps(config, materials.tokens.length))
    return talk.note(`${arm.name} is complete.`);
  if (interrupted()) throw new Interrupted(`Stopped before ${arm.name}.`);
  const opened = await openGateArm({
    ...arm,
    config,
    run,
    materials,
    talk,
    resume,
    allowChanges,
    interrupted,
    command,
  });
  try {
    await runArm(opened);
  } finally {
    opened.dispose();
  }
}

function answersOf(run: RunFolder): CacheResult[] {
  const text = readFileSync(join(run.path, "summary.json"), "utf8");
  return (JSON.parse(text) as { answers: CacheResult[] }).answers;
}
