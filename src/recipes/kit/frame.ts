import { relative } from "node:path";
import { loadConfig } from "../../config/index.ts";
import { commandLine, exampleConfig } from "./called-as.ts";
import { parseRecipeArguments } from "./command-line.ts";
import type { ConfigDefinition } from "../../config/index.ts";
import type { RecipeArguments } from "./command-line.ts";
import type { ArmTalk, Talk } from "./index.ts";
import type { ReportOptions } from "../../report/page.ts";
import { engineText, releaseEngine, useEngine, type EngineInfo } from "../../tensor/engine.ts";
import { tellingFullDisk } from "../../system/disk-error.ts";
import { isRunFolder, type RunFolderMode } from "../../training/index.ts";
import { exitCodeOf } from "../../system/exit-code.ts";
import { Interrupted } from "../../system/interrupted.ts";
import { watchInterruption } from "../../system/interruption.ts";
import { createTalk } from "./terminal-reporter.ts";

/** The keys that every recipe's configuration has. */
export interface RunConfig {
  engine: "auto" | "cpu" | "webgpu" | "tensorflow";
  threads?: number | undefined;
  matmul?: "auto" | "onnxruntime" | "blas" | "wasm" | undefined;
  output: string;
}

/** A recipe: how its configuration is read and what is done with it. */
export interface RecipeFrame<Config extends RunConfig> {
  /** Its file in `trainers/`, without the ending. */
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** A configuration of it, from the checkout's folder. */
  readonly example: string;
  readonly definition: ConfigDefinition<Config>;
  /** Checks everything, writes nothing to the run folder, and says what would be done. */
  dryRun(config: Config, resolvedYaml: string): Promise<void>;
  run(work: RecipeWork<Config>): Promise<void>;
}

/** What a command line asks for. */
export interface RecipeWork<Config extends RunConfig> {
  readonly config: Config;
  /** The configuration as YAML, for the run folder. */
  readonly resolvedYaml: string;
  readonly mode: RunFolderMode;
  readonly allowChanges: boolean;
  /** Start though the run is known not to fit into memory. */
  readonly allowMemory: boolean;
  /** Whether the person has asked to stop; throw `Interrupted` when the state is safe. */
  interrupted(): boolean;
  talkOf(label: string): ArmTalk;
  /** As it was typed, for model cards. */
  readonly command: string;
}

/**
 * Runs a recipe's command line and sets the exit code: 0, 2 for what the person can mend (one message), 130, 143
 * or 138 after SIGINT (Ctrl-C), SIGTERM or SIGUSR1, 1 with a stack for our own mistakes.
 */
export async function runCommandLine<Config extends RunConfig>(frame: RecipeFrame<Config>): Promise<void> {
  try {
    await run(frame, process.argv.slice(2));
  } catch (error) {
    process.exitCode = stoppedOr(error, frame.name);
  } finally {
    releaseEngine();
  }
}

function stoppedOr(error: unknown, name: string): number {
  if (!(error instanceof Interrupted)) return exitCodeOf(error, name, process.stderr);
  process.stderr.write(`${name}: ${error.message} Go on with --resume.\n`);
  return error.exitCode;
}

async function run<Config extends RunConfig>(frame: RecipeFrame<Config>, argv: readonly string[]): Promise<void> {
  const args = parseRecipeArguments(argv, frame);
  if ("help" in args) return say(args.help);
  const example = exampleConfig(frame);
  const { config, resolvedYaml } = loadConfig(frame.definition, args.config, { set: args.set, example });
  if (args.dryRun) return frame.dryRun(config, resolvedYaml);
  using interruption = watchInterruption(() => process.stderr.write("\nStopping soon; once more ends at once.\n"));
  const work = {
    config,
    resolvedYaml,
    mode: modeOf(args, config.output),
    allowChanges: args.allowChanges,
    allowMemory: args.allowMemory,
    interrupted: interruption.asked,
    talkOf: createTalk,
    command: commandLine(argv),
  };
  await tellingFullDisk(config.output, () => frame.run(work)).catch(interruption.rethrow);
}

/** Starts the configured engine, and says which it is. */
export async function startEngine({ engine, threads, matmul }: RunConfig, talk: Talk): Promise<EngineInfo> {
  const options = { ...(threads !== undefined && { threads }), ...(matmul !== undefined && { matmul }) };
  const info = await useEngine(engine, options);
  talk.note(`Engine: ${engineText(info)}`);
  if (info.warning !== undefined) talk.note(info.warning);
  return info;
}

/**
 * Writes the report of the run in `path`, and says where both are.
 * @param load the recipe's writer; asked for now, as its drawing library is as large as all else
 */
export async function report(load: () => Promise<WriteReport>, path: string, command: string): Promise<void> {
  const page = (await load())(path, { command });
  say(`The run is in ${relative(process.cwd(), path) || "."}, its report in ${relative(process.cwd(), page)}\n`);
}

type WriteReport = (folder: string, options: ReportOptions) => string;

function modeOf({ resume, overwrite }: RecipeArguments, output: string): RunFolderMode {
  if (resume) return "resume";
  return overwrite && isRunFolder(output) ? "overwrite" : "new";
}

export function say(text: string): void {
  process.stdout.write(text);
}
