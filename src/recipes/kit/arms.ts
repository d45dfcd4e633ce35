import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { diffConfigs, resumeConflicts } from "../../config/index.ts";
import { isDiskError } from "../../system/disk-error.ts";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { Interrupted } from "../../system/interrupted.ts";
import { Outage } from "../../system/outage.ts";
import { isRunFolder, openRunFolder, type RunFolder } from "../../training/run-folder.ts";
import { type ArmRows, type ComparedArms, controlsAmong } from "./finding.ts";
import type { RunInputs } from "./inputs.ts";
import { changedFiles, digestsOf, type FileDigests, identityOf, keepDigests } from "./own-files.ts";
import type { OpenRun, RecipeWork, RunConfig } from "./recipe.ts";
import type { ArmReporter } from "./reporter.ts";
import type { ResultRow } from "./results.ts";

/** An arm that is to be run. */
export interface PlannedArm<Config> {
  name: string;
  /** Its own configuration. */
  config: Config;
  /** Whether the finding compares the main arm with it. Where no arm is one, with all. */
  control?: boolean;
  /** Steps after which it is complete. */
  steps(inputs: RunInputs): number;
}

/** What an arm is opened with. */
export interface ArmOpening<Config> {
  name: string;
  config: Config;
  run: RunFolder;
  inputs: RunInputs;
  reporter: ArmReporter;
  /** Continue from the run folder's last checkpoint. */
  resume: boolean;
  allowChanges: boolean;
  /** Whether the person has asked to stop after the step under way. */
  interrupted: () => boolean;
  command: string;
}

/** How a comparison is laid out. */
export interface ArmPlan<Config, Arm> {
  main: PlannedArm<Config>;
  /** Those after it, each in a subfolder of its name, with the same starting model and data. */
  others: readonly PlannedArm<Config>[];
  open(opening: ArmOpening<Config>): Promise<Arm>;
  /** The rows of the results that an arm stands for, when it is complete; be it from an earlier process. */
  rows(name: string, run: RunFolder): readonly ResultRow[];
  /** The held-out rows of a complete arm, for the finding; undefined where it has none. */
  heldOut?(name: string, run: RunFolder): ArmRows | undefined;
  /** What the finding compares, where that is rows of the results and not arms. */
  compared?(rows: readonly ResultRow[]): ComparedArms | undefined;
  /** Called when all arms are complete. */
  finish?(rows: readonly ResultRow[], inputs: RunInputs): Promise<readonly ResultRow[]>;
  /** What else `results.json` holds. */
  facts?(rows: readonly ResultRow[]): Readonly<Record<string, unknown>>;
  /** What a reader of the table must know of it, as sentences. */
  notes?(rows: readonly ResultRow[]): readonly string[];
}

/** What a trainer does with a comparison. */
export interface ArmRun<Arm> {
  /** Opens one arm after the other, those left out that are complete; each is freed when the next one is asked for. */
  arms(): AsyncGenerator<Arm, void, undefined>;
}

/**
 * Opens a comparison: a main arm in the output folder, others in subfolders.
 * @throws UserError where a run is to be continued under settings that would change its remaining steps
 */
export function openArms<Config extends RunConfig, Arm extends { dispose(): void }>(
  work: RecipeWork<Config>,
  plan: ArmPlan<Config, Arm>,
): OpenRun<ArmRun<Arm>> {
  const main = openRunFolder(work.config.output, work.mode);
  let current = main;
  let rows: readonly ResultRow[] = [];
  const heldOut = new Map<PlannedArm<Config>, ArmRows | undefined>();
  const undone = new Set([plan.main, ...plan.others].map(({ name }) => name));
  const folderOf = ({ name }: PlannedArm<Config>): RunFolder => {
    const path = join(work.config.output, name);
    return openRunFolder(path, isRunFolder(path) ? "resume" : "new");
  };
  async function* arms(): AsyncGenerator<Arm, void, undefined> {
    for (const planned of [plan.main, ...plan.others]) {
      const isMain = planned === plan.main;
      current = isMain ? main : folderOf(planned);
      const config = isMain ? planned.config : { ...planned.config, output: current.path };
      const files = digestsOf(work.filesOf?.(config) ?? []);
      refuseChanges(current, { config: isMain ? work.config : config, files }, work.allowChanges);
      current.writeConfig(isMain ? work.resolvedYaml : stringify(config));
      keepDigests(current, files);
      const arm = await openIncomplete(current, { ...planned, config }, { ...work, files }, plan);
      if (arm !== undefined)
        try {
          yield arm;
        } finally {
          arm.dispose();
        }
      requireComplete(current, planned, await work.inputs());
      undone.delete(planned.name);
      rows = [...rows, ...plan.rows(planned.name, current)];
      heldOut.set(planned, plan.heldOut?.(planned.name, current));
      if (!isMain) current.close();
    }
  }
  return {
    run: { arms },
    path: main.path,
    async finish() {
      if (undone.size > 0)
        throw new UserError("run-unfinished", `the trainer has not run ${[...undone].join(", ")}`, {
          where: main.path,
          fix: "Go through all of `run.arms()`; --resume runs what is left.",
        });
      rows = (await plan.finish?.(rows, await work.inputs())) ?? rows;
      return {
        rows,
        compared: plan.compared ? plan.compared(rows) : comparedArms(plan, heldOut),
        ...(plan.facts && { facts: plan.facts(rows) }),
        ...(plan.notes && { notes: plan.notes(rows) }),
      };
    },
    writeFile: main.writeFile,
    fail: (error) => undoFruitless(current, error),
    close() {
      current.close();
      main.close();
    },
  };
}

function comparedArms<Config>(
  { main, others }: Pick<ArmPlan<Config, unknown>, "main" | "others">,
  heldOut: ReadonlyMap<PlannedArm<Config>, ArmRows | undefined>,
): ComparedArms | undefined {
  const ours = heldOut.get(main);
  const against = controlsAmong(others, ({ control }) => control === true);
  return ours && { main: ours, controls: against.flatMap((arm) => heldOut.get(arm) ?? []) };
}

async function openIncomplete<Config extends RunConfig, Arm>(
  run: RunFolder,
  { name, config, steps }: PlannedArm<Config>,
  work: RecipeWork<Config> & { files: FileDigests },
  plan: Pick<ArmPlan<Config, Arm>, "open">,
): Promise<Arm | undefined> {
  const { allowChanges, interrupted, command } = work;
  const shared = await work.inputs();
  const inputs = { ...shared, identity: { ...shared.identity, ...identityOf(work.files) } };
  const reporter = work.reporterOf(name);
  const resume = run.previousConfig !== undefined;
  if (resume && stepsDone(run) >= steps(inputs)) {
    reporter.note(`${name} is complete${savedOtherwise(run, config) ? "; its model stays as it was saved" : ""}.`);
    return undefined;
  }
  if (interrupted()) throw new Interrupted(`Stopped before ${name}.`);
  return plan.open({ name, config, run, inputs, reporter, resume, allowChanges, interrupted, command });
}

/** Whether the configuration says since a run was complete that its model is written in another way. */
function savedOtherwise(run: RunFolder, { save }: RunConfig): boolean {
  const before: unknown = parse(run.previousConfig ?? "");
  return isRecord(before) && before["save"] !== undefined && diffConfigs(before["save"], save).length > 0;
}

/** Throws a UserError for an arm that the trainer has left before its end. */
function requireComplete<Config>(run: RunFolder, { name, steps }: PlannedArm<Config>, inputs: RunInputs): void {
  const [done, all] = [stepsDone(run), steps(inputs)];
  if (done >= all) return;
  throw new UserError(
    "run-unfinished",
    `the trainer has left ${name} ${done > 0 ? `after step ${done} of ${all}` : "unfinished"}`,
    {
      where: run.path,
      fix: "Take every step of `learner.steps()`, and call `arm.finish()` at the end.",
    },
  );
}

/**
 * If a new run failed before its first step, takes back what was written, so that it can simply be started again. One
 * that a person is told to resume stays: after Ctrl-C, and where the disk refuses or a server is gone.
 */
function undoFruitless(run: RunFolder, error: unknown): void {
  const resumable = error instanceof Interrupted || error instanceof Outage || isDiskError(error);
  if (!resumable && run.previousConfig === undefined && run.metrics.records().length === 0) run.discard();
}

/**
 * Steps of a run that has come to its end, all there may be of one that ended early; 0 for one that has not come to its
 * end, or whose summary cannot be read.
 */
function stepsDone(run: RunFolder): number {
  const { steps, endedEarly } = summaryOf(run);
  return endedEarly === true ? Infinity : Number(steps ?? 0) || 0;
}

/** What a complete arm has written of itself; nothing where that is missing or damaged. */
export function summaryOf(run: RunFolder): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readFileSync(join(run.path, "summary.json"), "utf8"));
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}

function refuseChanges(
  run: RunFolder,
  { config, files }: { config: object; files: FileDigests },
  allowChanges: boolean,
): void {
  if (run.previousConfig === undefined || allowChanges) return;
  const conflicts = [
    ...resumeConflicts(parse(run.previousConfig), JSON.parse(JSON.stringify(config))),
    ...changedFiles(run.path, files),
  ];
  if (conflicts.length === 0) return;
  throw new UserError("run-changed", `the run was started with other settings:\n  ${conflicts.join("\n  ")}`, {
    where: run.path,
    fix: "Continue with the same settings, accept the change with --allow-changes, or start again with --overwrite.",
  });
}
