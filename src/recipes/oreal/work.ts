import type { OrealConfig } from "./config-schema.ts";
import type { OutcomeSettings } from "../../reward/index.ts";
import type { Optimizer, PolicyStep, RewardStep, Schedule, TrainingState } from "../../training/index.ts";
import type { ArmOpening } from "../kit/arms.ts";
import type { Question, Verify } from "../kit/responses/index.ts";
import type { Kept, Weighed } from "./kept.ts";
import type { OrealModels } from "./models.ts";
import type { Rollouts } from "./rollouts.ts";

/** One run of a comparison, as the steps of an iteration. Iterations count from 0. */
export interface OrealArm {
  readonly name: string;
  /** Those that are left, in order. */
  iterations(): Iterable<number>;
  /** Responses of the policy as it is, or those of an earlier run; judged. */
  sample(iteration: number): Promise<Rollouts>;
  /** Advantages over whole groups, and then the filter. */
  keep(rollouts: Rollouts): Kept;
  /** Log-probabilities of the sampling policy and of the reference, and token weights of the reward model as it is. */
  weigh(kept: Kept): Promise<Weighed>;
  /** One entry per optimizer step; none without a reward model, or where nothing was kept. */
  teachRewardModel(weighed: Weighed): Promise<RewardStep[]>;
  /** One entry per optimizer step; none while the policy is frozen, or where nothing was kept. */
  teachPolicy(weighed: Weighed): Promise<PolicyStep[]>;
  /** Writes the iteration to the run folder; evaluates and saves a checkpoint when they are due. */
  record(weighed: Weighed, reward: readonly RewardStep[], policy: readonly PolicyStep[]): Promise<void>;
  /** Evaluates, and writes the models and the summary. */
  finish(): Promise<void>;
  dispose(): void;
}

export interface OrealArmOptions extends ArmOpening<OrealConfig> {
  /** The run whose stored responses are learnt from. */
  replay: string | undefined;
}

/** An optimizer with what it does in each iteration. */
export interface Learner {
  readonly optimizer: Optimizer;
  readonly rate: Schedule;
  readonly clipNorm: number;
  /** Optimizer steps in an iteration. */
  readonly steps: number;
  /** Iterations in which it rests at first. */
  readonly rests: number;
}

/** Everything that an arm's parts share. */
export interface ArmWork extends OrealArmOptions {
  readonly settings: OutcomeSettings;
  readonly models: OrealModels;
  readonly state: TrainingState;
  readonly policy: Learner;
  readonly reward: Learner | undefined;
  readonly questions: readonly Question[];
  readonly held: readonly Question[];
  readonly verify: Verify;
}
