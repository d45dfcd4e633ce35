import { moduleFiles, type OwnFile } from "../../config/own-files.ts";
import type { ConfigDefinition } from "../../config/index.ts";
import { readableNote } from "../../data/open-table.ts";
import type { ReportOptions } from "../../report/page.ts";
import type { RunFolderMode } from "../../training/run-folder.ts";
import type { ComparedArms } from "./finding.ts";
import type { RunInputs, StartConfig } from "./inputs.ts";
import type { MemoryPlan } from "./memory.ts";
import type { PairReading } from "./pair-tokens.ts";
import type { ArmReporter } from "./reporter.ts";
import type { ResultColumn, ResultRow } from "./results.ts";

/** The keys that every recipe's configuration has. */
export interface RunConfig {
  engine: "auto" | "cpu" | "webgpu" | "tensorflow";
  threads?: number | undefined;
  matmul?: "auto" | "onnxruntime" | "blas" | "wasm" | undefined;
  output: string;
  /** How the trained model is written. */
  save: object;
}

/** A recipe: what its configuration says, what a trainer gets of it, and what its results are. */
export interface Recipe<Config extends RunConfig, Run> {
  /** Its file in `trainers/`, without the ending. */
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** A configuration of it, from the checkout's folder. */
  readonly example: string;
  /** How its configuration is read. */
  readonly config: ConfigDefinition<Config>;
  /** What of it says where the run starts: model, data, seed. */
  start(config: Config): StartConfig;
  /**
   * Whether weights that the data give to tokens count, and prompts may train. Where they do not, data with other weights
   * than 0 and 1 are refused.
   */
  readonly usesDataWeights?: true;
  /** Whether the rows are drawn as the weights of a mixture of data say; where they are not, such weights are refused. */
  readonly drawsByWeight?: true;
  /**
   * What is wanted of preference pairs, of a recipe that learns from them. Where this is absent, a pair's chosen answer is
   * read as that of any row.
   */
  readsPairs?(config: Config): Promise<PairReading>;
  /** Makes what can be made without data: what cannot be fails here, not after hours. */
  check?(config: Config): Promise<void> | void;
  /** Files besides the user's own modules whose content decides what is computed, and is not data or a model. */
  readsFiles?(config: Config): readonly OwnFile[];
  /** What would be done, for `--dry-run`. */
  plan(config: Config, inputs: RunInputs): readonly string[];
  /** What a run holds at once: one that does not fit is refused before it fills the memory. */
  memory?(inputs: RunInputs): MemoryPlan<Config>;
  /** Opens the run folder. Nothing is computed yet. */
  open(work: RecipeWork<Config>): Promise<OpenRun<Run>> | OpenRun<Run>;
  /** The columns of the terminal's table, of `results.json` and of the page's table; and what the finding compares. */
  readonly results: readonly ResultColumn[];
  /** The name of the row of the results that stands for the model before training, where there is such a row. */
  readonly startRow?: string;
  /** Of a recipe whose `compare` is no list of arms that are left out in a grid: they belong to what is measured. */
  readonly comparesInGrids?: true;
  /** Of a recipe that works in stages: how a run gets those that another has finished. */
  readonly stages?: StageSharing;
  /** The writer of the page; asked for at the end, as its drawing library is as large as all else. */
  report(): Promise<(folder: string, options: ReportOptions) => string>;
}

/** Stages whose results are kept while nothing that decides them has changed, so that runs can share them. */
export interface StageSharing {
  /** Those that a grid can name, in their order. */
  readonly names: readonly string[];
  /**
   * Copies finished stages of one run folder into another that has none of the name. The run makes anew what does not
   * fit its configuration, so a copy never decides a result.
   * @param names of stages; "all" = everything but the evaluation, trained models included
   */
  copy(from: string, to: string, names: readonly string[] | "all"): void;
}

/** A run of a recipe, from its opened folder to its results. */
export interface OpenRun<Run> {
  /** What the trainer's function gets. */
  readonly run: Run;
  readonly path: string;
  /**
   * After the trainer's function.
   * @returns the rows of the results, what else `results.json` holds, sentences that stand below the table, and the arms
   * that the run's finding is about
   */
  finish(): Promise<{
    rows: readonly ResultRow[];
    facts?: Readonly<Record<string, unknown>>;
    notes?: readonly string[];
    compared?: ComparedArms | undefined;
  }>;
  /** Writes a file of the run folder. */
  writeFile(name: string, content: string): void;
  /** Called in place of `finish` with what went wrong: a run without any result is taken back. */
  fail(error: unknown): void;
  /** Lets other processes in. */
  close(): void;
}

/** What a command line asks for. */
export interface RecipeWork<Config extends RunConfig> {
  readonly config: Config;
  /** The configuration as YAML, for the run folder. */
  readonly resolvedYaml: string;
  readonly mode: RunFolderMode;
  readonly allowChanges: boolean;
  /** Starts the engine and tokenizes the data, once. */
  inputs(): Promise<RunInputs>;
  /** Whether the person has asked to stop; throw `Interrupted` when the state is safe. */
  interrupted(): boolean;
  reporterOf(label: string): ArmReporter;
  /** What of a configuration are files of the user's own, whose content a continued run must share. */
  filesOf?(config: Config): readonly OwnFile[];
  /** As it was typed, for model cards. */
  readonly command: string;
}

/** The files of the user's own that a configuration of a recipe names. */
export function ownFilesOf<Config extends RunConfig>(
  { config: { schema }, readsFiles }: Pick<Recipe<Config, unknown>, "config" | "readsFiles">,
  config: Config,
): readonly OwnFile[] {
  return [...moduleFiles(schema, config), ...(readsFiles?.(config) ?? [])];
}

/** A recipe, which says of data that are not there what files of them are read. */
export function defineRecipe<Config extends RunConfig, Run>(recipe: Recipe<Config, Run>): Recipe<Config, Run> {
  return { ...recipe, config: { ...recipe.config, readable: readableNote() } };
}
