import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { armConfig, mainArm, type OrealConfig } from "../../config/index.ts";
import { isRunFolder, openRunFolder, type RunFolder, type RunFolderMode } from "../../training/index.ts";
import { refuseChanges, stepsDone, undoneIfFruitless } from "../comparison.ts";
import type { Materials } from "../materials.ts";
import { Interrupted, type ArmTalk } from "../talk.ts";
import { openOrealArm } from "./arm.ts";
import { replayedRun } from "./trajectories.ts";
import { resultTable, type ArmScores } from "./table.ts";
import type { OrealArm } from "./work.ts";

export interface OrealOptions {
  config: OrealConfig;
  /** The configuration as YAML, for the run folder. */
  resolvedYaml: string;
  mode: RunFolderMode;
  allowChanges: boolean;
  materials: () => Promise<Materials>;
  talkOf: (arm: string) => ArmTalk;
  interrupted: () => boolean;
  command: string;
}

/**
 * Runs the configured objective in the output folder, then each of `compare` in a subfolder, with the same starting
 * model, questions and seed. Arms that are complete are not run again.
 * @param runArm runs one opened arm to its end
 * @returns the main run's folder, and the table of all arms
 */
export async function runOreal(
  options: OrealOptions,
  runArm: (arm: OrealArm) => Promise<void>,
): Promise<{ path: string; table: string }> {
  const { config, mode } = options;
  const { replay } = config.rollout;
  using main = openRunFolder(config.output, mode);
  const first = mainArm(config);
  const results: ArmScores[] = [];
  const runOne = async (run: RunFolder, arm: typeof first, own: OrealConfig, materials: Materials): Promise<void> => {
    const { name } = arm;
    const from = replay === undefined ? undefined : replayedRun(replay, run === main ? undefined : name);
    await runToEnd(run, name, own, { ...options, replay: from }, materials, runArm);
    results.push(scoresOf(name, run));
  };
  const materials = await undoneIfFruitless(main, async () => {
    refuseChanges(main, options);
    main.writeConfig(options.resolvedYaml);
    const gathered = await options.materials();
    await runOne(main, first, { ...armConfig(config, first), output: config.output }, gathered);
    return gathered;
  });
  for (const arm of config.compare) {
    const output = join(config.output, arm.name);
    const own = { ...armConfig(config, arm), output };
    using run = openRunFolder(output, isRunFolder(output) ? "resume" : "new");
    await undoneIfFruitless(run, async () => {
      refuseChanges(run, { config: own, allowChanges: options.allowChanges });
      run.writeConfig(stringify(own));
      await runOne(run, arm, own, materials);
    });
  }
  const table = resultTable(results);
  main.writeFile("results.json", `${JSON.stringify({ arms: results }, null, 2)}\n`);
  main.writeFile("table.txt", table);
  return { path: main.path, table };
}

async function runToEnd(
  run: RunFolder,
  name: string,
  config: OrealConfig,
  options: OrealOptions & { replay: string | undefined },
  materials: Materials,
  runArm: (arm: OrealArm) => Promise<void>,
): Promise<void> {
  const { allowChanges, talkOf, interrupted, command, replay } = options;
  const talk = talkOf(name);
  const resume = run.previousConfig !== undefined;
  if (resume && stepsDone(run) >= config.training.iterations) return talk.note(`${name} is complete.`);
  if (interrupted()) throw new Interrupted(`Stopped before ${name}.`);
  const shared = { allowChanges, interrupted, command, replay };
  const arm = await openOrealArm({ name, config, run, materials, talk, resume, ...shared });
  try {
    await runArm(arm);
  } finally {
    arm.dispose();
  }
}

function scoresOf(name: string, run: RunFolder): ArmScores {
  const text = readFileSync(join(run.path, "summary.json"), "utf8");
  const { start, end, steps, responses, seconds } = JSON.parse(text) as Omit<ArmScores, "name">;
  return { name, steps, responses, seconds, ...(start && { start }), ...(end && { end }) };
}
