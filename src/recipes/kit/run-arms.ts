import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { resumeConflicts } from "../../config/index.ts";
import { UserError } from "../../system/errors.ts";
import { isDiskFull } from "../../system/disk-error.ts";
import { isRunFolder, openRunFolder, type RunFolder, type RunFolderMode } from "../../training/index.ts";
import type { Materials } from "./inputs.ts";
import { Interrupted, type ArmTalk } from "./reporter.ts";

/** What a command line asks of a run with arms. */
export interface RunOptions<Config> {
  config: Config;
  /** The configuration as YAML, for the run folder. */
  resolvedYaml: string;
  mode: RunFolderMode;
  allowChanges: boolean;
  materials: () => Promise<Materials>;
  talkOf: (arm: string) => ArmTalk;
  interrupted: () => boolean;
  /** For model cards. */
  command: string;
}

/** An arm that is to be run. */
export interface PlannedArm<Config> {
  name: string;
  /** Its own configuration. */
  config: Config;
  /** Steps after which it is complete. */
  steps: (materials: Materials) => number;
}

/** What an arm is opened with. */
export interface ArmOpening<Config> {
  name: string;
  config: Config;
  run: RunFolder;
  materials: Materials;
  talk: ArmTalk;
  /** Continue from the run folder's last checkpoint. */
  resume: boolean;
  allowChanges: boolean;
  /** Whether the person has asked to stop after the step under way. */
  interrupted: () => boolean;
  command: string;
}

/** How arms are opened and run, and what is done beside. */
export interface ArmRunner<Config, Arm extends { dispose(): void }> {
  main: PlannedArm<Config>;
  /** Those after it, each in a subfolder of its name; asked for when the main arm is complete. */
  others(main: RunFolder): readonly PlannedArm<Config>[];
  open(opening: ArmOpening<Config>): Promise<Arm>;
  /** Brings an opened arm to its end. */
  run(arm: Arm): Promise<void>;
  /** Called with every arm that is complete, be it from an earlier process. */
  completed?(name: string, run: RunFolder): void;
  /** Called at the end, with the main arm's folder. */
  finish?(main: RunFolder, materials: Materials): Promise<void> | void;
}

/**
 * Runs a main arm in the output folder, then the others in subfolders, with the same starting model and data. Arms that
 * are complete are not run again.
 * @returns the main arm's folder
 * @throws UserError where a run is to be continued under settings that would change its remaining steps
 */
export async function runArms<Config extends { output: string }, Arm extends { dispose(): void }>(
  options: RunOptions<Config>,
  runner: ArmRunner<Config, Arm>,
): Promise<string> {
  const { config, mode } = options;
  using main = openRunFolder(config.output, mode);
  const materials = await undoneIfFruitless(main, async () => {
    refuseChanges(main, options);
    main.writeConfig(options.resolvedYaml);
    const gathered = await options.materials();
    await runOne(main, runner.main, options, gathered, runner);
    return gathered;
  });
  for (const arm of runner.others(main)) {
    const output = join(config.output, arm.name);
    const own = { ...arm, config: { ...arm.config, output } };
    using run = openRunFolder(output, isRunFolder(output) ? "resume" : "new");
    await undoneIfFruitless(run, async () => {
      refuseChanges(run, { config: own.config, allowChanges: options.allowChanges });
      run.writeConfig(stringify(own.config));
      await runOne(run, own, options, materials, runner);
    });
  }
  await runner.finish?.(main, materials);
  return main.path;
}

async function runOne<Config, Arm extends { dispose(): void }>(
  run: RunFolder,
  { name, config, steps }: PlannedArm<Config>,
  { allowChanges, talkOf, interrupted, command }: RunOptions<Config>,
  materials: Materials,
  runner: ArmRunner<Config, Arm>,
): Promise<void> {
  const talk = talkOf(name);
  const resume = run.previousConfig !== undefined;
  if (resume && stepsDone(run) >= steps(materials)) talk.note(`${name} is complete.`);
  else {
    if (interrupted()) throw new Interrupted(`Stopped before ${name}.`);
    const opening = { name, config, run, materials, talk, resume, allowChanges, interrupted, command };
    const arm = await runner.open(opening);
    try {
      await runner.run(arm);
    } finally {
      arm.dispose();
    }
  }
  runner.completed?.(name, run);
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

/** Steps of a run that has come to its end; 0 for one that has not. */
function stepsDone(run: RunFolder): number {
  const path = join(run.path, "summary.json");
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { steps: number }).steps : 0;
}

function refuseChanges(run: RunFolder, { config, allowChanges }: { config: object; allowChanges: boolean }): void {
  if (run.previousConfig === undefined || allowChanges) return;
  const conflicts = resumeConflicts(parse(run.previousConfig), JSON.parse(JSON.stringify(config)));
  if (conflicts.length === 0) return;
  throw new UserError(`the run was started with other settings:\n  ${conflicts.join("\n  ")}`, {
    where: run.path,
    fix: "Continue with the same settings, accept the change with --allow-changes, or start again with --overwrite.",
  });
}
