import type { ChosenRows } from "./chosen-rows.ts";
import type { ExploredContext } from "./explorer/weigh.ts";
import type { JsonObject } from "./run-files.ts";
import type { ScoredRow } from "./token-picture.ts";

/** One optimizer step's numbers by name; NaN where the log has none. */
export interface StepMetrics {
  readonly step: number;
  readonly value: (name: string) => number;
}

/** One evaluation on the held-out rows. */
export interface Evaluation {
  readonly step: number;
  readonly loss: number;
  readonly perplexity: number;
  readonly exactMatch: number;
  /** One entry per held-out row; empty where the log has none. */
  readonly rowIds: readonly number[];
  readonly rowLosses: readonly number[];
  readonly rowCorrect: readonly number[];
  /** Share of each row's sampled answers that are right. */
  readonly rowPassRate: readonly number[];
  /** Probability of each row's whole reference response. */
  readonly rowProbability: readonly number[];
  /** The most likely answers to some of the rows. */
  readonly answers: readonly AnsweredProblem[];
  /** By the name of a number of the user's own metric, that of each row; empty where it has one for all. */
  readonly ownMetrics: Readonly<Record<string, readonly number[]>>;
  /** Any of its numbers by name; NaN where the log has none. */
  readonly value: (name: string) => number;
}

/** A held-out problem with a model's answer. */
export interface AnsweredProblem {
  readonly row: number;
  readonly prompt: string;
  readonly reference: string;
  readonly answer: string;
  readonly correct: boolean;
}

/** What a run dropped, against labelled noise. Counts of response tokens. */
export interface NoiseCounts {
  readonly tokens: number;
  readonly dropped: number;
  readonly noise: number;
  readonly hits: number;
}

/** One arm's run folder as a report needs it. */
export interface ArmRun {
  readonly name: string;
  readonly method: string;
  readonly metrics: readonly StepMetrics[];
  /** What each step took: `tokensPerSecond` and the like, `memoryMB`. */
  readonly timing: readonly StepMetrics[];
  /** Ascending steps. */
  readonly evaluations: readonly Evaluation[];
  readonly noise: NoiseCounts | undefined;
  readonly warnings: readonly string[];
  readonly engine: string | undefined;
  /** Seconds of all steps; NaN if nothing tells. */
  readonly seconds: number;
  /** Whether the run came to its end, so that it wrote its summary. */
  readonly finished: boolean;
  /** When its last step ended; undefined if nothing tells. */
  readonly time: Date | undefined;
  /** The most that it took; 0 if nothing tells. */
  readonly memoryMB: number;
  /** The step after which early stopping ended it; NaN if it did not. */
  readonly stoppedAt: number;
  /** Why, as a sentence without its subject. */
  readonly stopped: string | undefined;
  /** The step whose model was saved, where that is the best one's; NaN where it is the last one's. */
  readonly savedStep: number;
}

/** How a recipe lays out a run. */
export interface RunLayout {
  /** The main arm as the configuration names it, and its subfolder where it has one. */
  main(config: JsonObject): { name?: string; method?: string; folder?: string };
  /** The other arms, in subfolders of their names. */
  others(config: JsonObject): readonly PlannedArm[];
}

interface PlannedArm {
  readonly name: string;
  readonly method?: string | undefined;
}

/** Rows of tokens.json. */
export interface PicturedRows {
  readonly step: number;
  /** Where the run stood when a rule weighed them. */
  readonly context?: ExploredContext;
  readonly rows: readonly ScoredRow[];
  /** How they were chosen, where they are not the first ones. */
  readonly chosen?: ChosenRows;
  /** The same rows as they stand in the file, with whatever else it says of them. */
  readonly facts: readonly JsonObject[];
}

/** A run with the arms it is compared with. */
export interface Run {
  readonly path: string;
  readonly main: ArmRun;
  readonly arms: readonly ArmRun[];
  /** Arms that the configuration names and that have no folder. */
  readonly missingArms: readonly string[];
  readonly config: JsonObject;
  readonly configText: string | undefined;
  /** When the last step of any arm ended; undefined if nothing tells. */
  readonly time: Date | undefined;
  readonly memoryMB: number;
  readonly tokens: PicturedRows | undefined;
}
