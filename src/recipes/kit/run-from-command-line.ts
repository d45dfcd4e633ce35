import { join } from "node:path";
import { loadConfig } from "../../config/index.ts";
import { tellingDiskErrors } from "../../system/disk-error.ts";
import { exitCodeOf } from "../../system/exit-code.ts";
import { Interrupted } from "../../system/interrupted.ts";
import { watchInterruption } from "../../system/interruption.ts";
import { type LastingStreams, lastingStreams, terminalFile } from "../../system/lasting-streams.ts";
import { optional } from "../../system/optional.ts";
import { Outage } from "../../system/outage.ts";
import type { TextStream } from "../../system/streams.ts";
import { engineText, releaseEngine, useEngine, type EngineInfo } from "../../tensor/engine.ts";
import { RolledBack } from "../../training/divergence.ts";
import { isRunFolder, type RunFolderMode } from "../../training/run-folder.ts";
import { commandLine, exampleConfig } from "./called-as.ts";
import { shownPath } from "./card.ts";
import { parseRecipeArguments, type RecipeArguments } from "./command-line.ts";
import { findingOf } from "./finding.ts";
import { gatherInputs, type RunInputs } from "./inputs.ts";
import { livePage } from "./live-page.ts";
import { memoryLines, requireMemory } from "./memory.ts";
import { ownFilesOf, type Recipe, type RecipeWork, type RunConfig } from "./recipe.ts";
import { refuseMixture, refusePromptWeights, refuseWeights } from "./refuse-weights.ts";
import { stoppable, type ArmReporter, type Reporter } from "./reporter.ts";
import { resultText, stopNotes } from "./results.ts";
import { terminalReporter } from "./terminal-reporter.ts";

/**
 * Runs a recipe by its command line: `--help`, `--dry-run`, `--resume`, `--overwrite`, errors in words and the exit
 * code (0, 2 for what the person can mend, 130, 143 or 138 after SIGINT, SIGTERM or SIGUSR1, 1 where a server is gone, and
 * with a stack for our own mistakes).
 *
 * @param body what a trainer does with the opened run
 */
export async function runFromCommandLine<Config extends RunConfig, Run>(
  recipe: Recipe<Config, Run>,
  body: (run: Run) => Promise<void>,
): Promise<void> {
  using terminal = lastingStreams();
  try {
    await obey(recipe, body, process.argv.slice(2), terminal);
  } catch (error) {
    process.exitCode = stoppedOr(error, recipe.name, terminal.stderr);
  } finally {
    releaseEngine();
  }
}

function stoppedOr(error: unknown, name: string, stderr: TextStream): number {
  if (error instanceof Outage) stderr.write("\n"); // below a line of progress
  if (!(error instanceof Interrupted)) return exitCodeOf(error, name, stderr);
  stderr.write(`${name}: ${error.message} Continue with --resume.\n`);
  return error.exitCode;
}

async function obey<Config extends RunConfig, Run>(
  recipe: Recipe<Config, Run>,
  body: (run: Run) => Promise<void>,
  argv: readonly string[],
  terminal: LastingStreams,
): Promise<void> {
  const say = (text: string): void => void terminal.stdout.write(text);
  const args = parseRecipeArguments(argv, recipe);
  if ("help" in args) return say(args.help);
  const example = exampleConfig(recipe);
  const { config, resolvedYaml } = loadConfig(recipe.config, args.config, {
    set: args.set,
    example: `--config ${example}`,
  });
  const command = commandLine(argv);
  const evaluated = livePage(recipe.report, config.output, { command });
  const reporterOf = (label: string): ArmReporter => ({ ...terminalReporter(label, terminal.stderr), evaluated });
  if (args.dryRun) {
    const inputs = await inputsOf(recipe, config, reporterOf("dry run"));
    await inputs.close();
    const memory = recipe.memory === undefined ? [] : memoryLines(config, recipe.memory(inputs));
    const plan = [...recipe.plan(config, inputs), ...memory];
    return say([resolvedYaml.trimEnd(), "", ...plan, "Nothing was written to the run folder.\n"].join("\n"));
  }
  using interruption = watchInterruption(() => terminal.stderr.write("\nStopping soon; once more ends at once.\n"));
  const interrupted = interruption.asked;
  const gather = async (): Promise<RunInputs> => {
    const gathered = await inputsOf(recipe, config, stoppable(reporterOf(recipe.name), interrupted));
    opened.push(gathered);
    const { engine } = gathered;
    if (recipe.memory) requireMemory(config, recipe.memory(gathered), { engine, allow: args.allowMemory });
    return gathered;
  };
  const opened: RunInputs[] = [];
  let inputs: Promise<RunInputs> | undefined;
  const work: RecipeWork<Config> = {
    ...{ config, resolvedYaml, interrupted },
    mode: modeOf(args, config.output),
    allowChanges: args.allowChanges,
    inputs: () => (inputs ??= gather()),
    ...{ reporterOf, command },
    filesOf: (of) => ownFilesOf(recipe, of),
  };
  const told = {
    ...recipe,
    async open(work: RecipeWork<Config>) {
      const opened = await recipe.open(work);
      terminal.keepIn(join(opened.path, terminalFile));
      return opened;
    },
  };
  const performed = async (): ReturnType<typeof perform> => {
    try {
      if (work.mode === "overwrite") recipe.plan(config, await work.inputs()); // what is refused must not cost the old run
      return await perform(told, body, work);
    } finally {
      for (const each of opened) await each.close();
    }
  };
  const { path, table, finding } = await tellingDiskErrors(config.output, performed).catch(interruption.rethrow);
  say(`\n${table}\n`);
  const page = (await recipe.report())(path, { command });
  say(`The run is in ${shownPath(path)}, its report in ${shownPath(page)}\n`);
  if (finding !== undefined) say(`\n${finding}\n`);
}

/**
 * Opens a run, does the work and writes its results, without a command line around it: nothing is printed. Where a
 * training goes back to a checkpoint, the run is opened once more and continued from there.
 * @returns the run's folder, the table of its results, and what it found in one sentence
 */
export async function perform<Config extends RunConfig, Run>(
  recipe: Pick<Recipe<Config, Run>, "open" | "results">,
  body: (run: Run) => Promise<void>,
  work: RecipeWork<Config>,
): Promise<{ path: string; table: string; finding: string | undefined }> {
  try {
    return await performOnce(recipe, body, work);
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
    work.reporterOf("rollback").note(error.message);
    return perform(recipe, body, { ...work, mode: "resume" });
  }
}

async function performOnce<Config extends RunConfig, Run>(
  recipe: Pick<Recipe<Config, Run>, "open" | "results">,
  body: (run: Run) => Promise<void>,
  work: RecipeWork<Config>,
): ReturnType<typeof perform> {
  const opened = await recipe.open(work);
  try {
    await body(opened.run);
    const { rows, facts, notes: others = [], compared } = await opened.finish();
    const notes = [...stopNotes(rows), ...others];
    const table = resultText(recipe.results, rows, notes);
    const finding = compared && findingOf(recipe.results, compared)?.replaceAll("−", "-"); // plain, to be copied
    const results = {
      ...{ rows, ...facts },
      ...(notes.length > 0 && { notes }),
      ...(finding !== undefined && { finding }),
    };
    opened.writeFile("results.json", `${JSON.stringify(results, null, 2)}\n`);
    opened.writeFile("table.txt", table);
    return { path: opened.path, table, finding };
  } catch (error) {
    if (!(error instanceof RolledBack)) opened.fail(error);
    throw error;
  } finally {
    opened.close();
  }
}

async function inputsOf<Config extends RunConfig>(
  recipe: Pick<Recipe<Config, unknown>, "check" | "readsPairs" | "start" | "usesDataWeights" | "drawsByWeight">,
  config: Config,
  reporter: ArmReporter,
): Promise<RunInputs> {
  await recipe.check?.(config);
  const start = recipe.start(config);
  if (!recipe.drawsByWeight) refuseMixture(start.data);
  if (!recipe.usesDataWeights) refusePromptWeights(start.data);
  const reading = await recipe.readsPairs?.(config);
  const inputs = await gatherInputs(start, await startEngine(config, reporter), reporter, reading);
  const sides = inputs.pairs ? [inputs.tokens, inputs.pairs.rejected] : [inputs.tokens];
  try {
    if (!recipe.usesDataWeights) sides.forEach(refuseWeights);
    return inputs;
  } catch (error) {
    await inputs.close();
    throw error;
  }
}

/** Starts the configured engine, and says which it is. */
async function startEngine({ engine, threads, matmul }: RunConfig, reporter: Reporter): Promise<EngineInfo> {
  const info = await useEngine(engine, optional({ threads, matmul }));
  reporter.note(`Engine: ${engineText(info)}`);
  if (info.warning !== undefined) reporter.note(info.warning);
  return info;
}

function modeOf({ resume, overwrite }: RecipeArguments, output: string): RunFolderMode {
  if (resume) return "resume";
  return overwrite && isRunFolder(output) ? "overwrite" : "new";
}
