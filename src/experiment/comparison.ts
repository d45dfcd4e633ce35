import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { resumeConflicts, ruleLabel, type FinetuneConfig } from "../config/index.ts";
import { UserError } from "../errors.ts";
import { isDiskFull } from "../training/disk-error.ts";
import { isRunFolder, openRunFolder, type RunFolder, type RunFolderMode } from "../training/index.ts";
import { openArm, type Arm } from "./arm.ts";
import type { Materials } from "./materials.ts";
import { stepsOf } from "./rules.ts";
import { Interrupted, type ArmTalk } from "./talk.ts";

export interface ComparisonOptions {
  config: FinetuneConfig;
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
 * Runs the configured rule in the output folder, then each rule of `compare` in a subfolder, with the same starting
 * model, data and seed. Arms that are complete are not run again.
 * @param runArm trains one opened arm to its end
 * @returns the main run's folder
 */
export async function runComparison(
  options: ComparisonOptions,
  runArm: (arm: Arm) => Promise<void>,
): Promise<{ path: string; arms: string[] }> {
  const { config, mode } = options;
  using main = openRunFolder(config.output, mode);
  const materials = await undoneIfFruitless(main, async () => {
    refuseChanges(main, options);
    main.writeConfig(options.resolvedYaml);
    const gathered = await options.materials();
    await runOne(main, ruleLabel(config.selection.method), config, options, gathered, runArm);
    return gathered;
  });
  for (const { name, selection } of config.compare) {
    const output = join(config.output, name);
    const own: FinetuneConfig = { ...config, selection, output, compare: [] };
    using run = openRunFolder(output, isRunFolder(output) ? "resume" : "new");
    await undoneIfFruitless(run, async () => {
      run.writeConfig(stringify(own));
      await runOne(run, name, own, options, materials, runArm);
    });
  }
  return { path: main.path, arms: config.compare.map(({ name }) => name) };
}

/**
 * If a new run fails before its first step, takes back what was written, so that it can simply be started again. One
 * that a person is told to resume stays: after Ctrl-C, and where the disk is full.
 */
export async function undoneIfFruitless<T>(run: RunFolder, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const resumable = error instanceof Interrupted || isDiskFull(error);
    if (!resumable && run.previousConfig === undefined && run.metrics.records().length === 0) run.discard();
    throw error;
  }
}

async function runOne(
  run: RunFolder,
  name: string,
  config: FinetuneConfig,
  { allowChanges, talkOf, interrupted, command }: ComparisonOptions,
  materials: Materials,
  runArm: (arm: Arm) => Promise<void>,
): Promise<void> {
  const talk = talkOf(name);
  const resume = run.previousConfig !== undefined;
  if (resume && stepsDone(run) >= stepsOf(config, materials.tokens)) return talk.note(`${name} is complete.`);
  if (interrupted()) throw new Interrupted(`Stopped before ${name}.`);
  const arm = await openArm({ name, config, run, materials, talk, resume, allowChanges, interrupted, command });
  try {
    await runArm(arm);
  } finally {
    arm.dispose();
  }
}

/** Steps of a run that has come to its end; 0 for one that has not. */
export function stepsDone(run: RunFolder): number {
  const path = join(run.path, "summary.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { steps: number }).steps : 0;
}

/** @throws UserError where a run is to be continued under settings that would change its remaining steps */
export function refuseChanges(
  run: RunFolder,
  { config, allowChanges }: { config: object; allowChanges: boolean },
): void {
  if (run.previousConfig === undefined || allowChanges) return;
  const conflicts = resumeConflicts(parse(run.previousConfig), JSON.parse(JSON.stringify(config)));
  if (conflicts.length === 0) return;
  throw new UserError(`the run was started with other settings:\n  ${conflicts.join("\n  ")}`, {
    where: run.path,
    fix: "Continue with the same settings, accept the change with --allow-changes, or start again with --overwrite.",
  });
}
