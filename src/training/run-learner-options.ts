import type { BestBy, EarlyStopping } from "./best.ts";
import type { OnDivergence, Warning } from "./divergence.ts";
import type { EvaluationPart } from "./evaluation-lines.ts";
import type { LearnerOptions } from "./learner.ts";
import type { Identity } from "./manifest.ts";
import type { Optimizer } from "./optimizer.ts";
import type { RunFolder } from "./run-folder.ts";
import type { TrainingState } from "./state.ts";

/** Told to the person at the keyboard. */
export interface LearnerReporter {
  /** A sentence worth keeping. */
  note(sentence: string): void;
  /** A finished step out of `total`. */
  step(record: { step: number; loss: number; keptShare: number }, total: number, tokensPerSecond: number): void;
  /** One more evaluation stands in the run folder. */
  evaluated?(): Promise<void>;
}

/** What a training in a run folder is made of. */
export interface RunLearnerOptions extends Omit<LearnerOptions, "optimizer" | "onNotFinite"> {
  /** Fresh; a checkpoint is put into it. */
  state: TrainingState;
  /** The run's last step. */
  steps: number;
  /** What a step is called. Default `step`. */
  unit?: "step" | "iteration";
  /** In messages, of a training within another run. */
  name?: string;
  run: RunFolder;
  /** What a continued run must share with the one that saved. */
  identity: Identity;
  /** Steps between checkpoints, the last one included; 0 saves none but on request. */
  saveEvery: number;
  /** So many of the newest stay. */
  keepCheckpoints: number;
  /** Beside them so many of the best. Default 0. */
  keepBest?: number | undefined;
  /** Of an evaluation, what tells which model is better. Default: `loss`, of which less is better. */
  best?: BestBy | undefined;
  /** Whether the state at the end becomes that of the best checkpoint. Default: it stays that of the last step. */
  saveBest?: boolean | undefined;
  /** Ends the training once a number of the evaluations no longer improves. */
  earlyStopping?: EarlyStopping | undefined;
  /** Bytes that all checkpoints may take together; the newest stays in any case. Default: no limit. */
  checkpointBudget?: number | undefined;
  /** What is done where the training diverges. Default `warn`. */
  onDivergence?: OnDivergence | undefined;
  /** Other optimizers of the training, which is gone back to a checkpoint with. */
  alsoTrained?: readonly Optimizer[];
  /** Steps between evaluations; 0: at the start and the end alone. Default 0. */
  evaluateEvery?: number;
  /** What of a model is measured between the start and the end. Default `all`. */
  onTheWay?: EvaluationPart | undefined;
  /**
   * Measures the model as it is, for the evaluation log; undefined writes nothing.
   * @param repeatable whether it may end with `Interrupted`, as it can be done again from a checkpoint
   */
  evaluate?(repeatable: boolean, part: EvaluationPart): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Looks at every record; what it says is noted, and kept as a warning of the run. */
  watch?(record: Readonly<Record<string, unknown>>): readonly Warning[];
  /** Whether the training ends with the step of this record, before its last one. */
  enough?(record: Readonly<Record<string, unknown>>): boolean;
  reporter: LearnerReporter;
  /** Whether the person has asked to stop after the step under way. */
  interrupted(): boolean;
  /** Continue from the run folder's newest checkpoint, if it has one. */
  resume: boolean;
  /** Continue under another identity, no longer bit for bit. */
  allowChanges: boolean;
}
