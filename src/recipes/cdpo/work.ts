import type { CdpoConfig } from "./config-schema.ts";
import { isAdapted } from "../../model/adapters/with-adapter.ts";
import type { Model } from "../../model/model.ts";
import type { PreferenceObjective } from "../../preference/objective.ts";
import type { RunFolder } from "../../training/run-folder.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { usableRows, type GivenRow, type Question, type Surroundings } from "../kit/responses/index.ts";
import type { TokenizedPair } from "../kit/pair-tokens.ts";
import type { ArmReporter } from "../kit/reporter.ts";
import type { Tokenizer } from "../../text/index.ts";
import type { ReplaceableStage } from "./config.ts";
import type { RunStage, StageFile } from "./stages.ts";
import type { Trunk } from "./trunk.ts";

/** Everything that the stages of a run share. */
export interface CdpoWork {
  readonly config: CdpoConfig;
  readonly run: RunFolder;
  /** Of each arm, by its name. */
  readonly objectives: ReadonlyMap<string, PreferenceObjective>;
  /** By stage, whether anything reads its result. */
  readonly needed: Readonly<Record<ReplaceableStage, boolean>>;
  /** Whether an objective reads the contrastive estimate. */
  readonly estimated: boolean;
  /** Whether one reads the log-ratio of the contrasted models. */
  readonly rated: boolean;
  /** Whether one reads the user's token weights. */
  readonly weighed: boolean;
  /** The pairs of `data.train`, where its rows are pairs: nothing is drawn or judged then. */
  readonly given: readonly TokenizedPair[] | undefined;
  /** The held-out pairs, where the held-out rows are pairs: no problems are answered then. */
  readonly heldPairs: readonly TokenizedPair[] | undefined;
  readonly inputs: RunInputs;
  readonly trunk: Trunk;
  readonly tokenizer: Tokenizer;
  readonly questions: readonly Question[];
  /** What files of the user's must go with. */
  readonly surroundings: Surroundings;
  readonly held: readonly Question[];
  readonly vocabularySize: number;
  readonly allowChanges: boolean;
  readonly command: string;
  readonly interrupted: () => boolean;
  reporterOf(label: string): ArmReporter;
  readonly stage: RunStage;
}

/** Frees an adapter; the trunk stays. */
export function release(model: Model): void {
  if (isAdapted(model)) model.dispose();
}

/** Where the rows of a stage lie. */
export function rowsFile<T>(
  { config, needed, surroundings, vocabularySize }: CdpoWork,
  name: "sample" | "judge" | "pairs",
  readFile: (path: string, options: { vocabularySize: number }) => T[],
  rows: { noun: string; of: (row: T) => GivenRow },
): StageFile<T[]> {
  return {
    name,
    replacement: config.stages[name],
    needed: needed[name],
    read: (path, note) => usableRows(path, readFile(path, { vocabularySize }), { ...surroundings, ...rows, note }),
  };
}
