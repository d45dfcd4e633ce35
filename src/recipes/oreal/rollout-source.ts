import type { Model } from "../../model/model.ts";
import type { ArmOpening } from "../kit/arms.ts";
import { stoppable, type ArmReporter } from "../kit/reporter.ts";
import { questionsOf, type Verify } from "../kit/responses/index.ts";
import type { OrealConfig } from "./config-schema.ts";
import { drawRollouts, type Rollouts } from "./rollouts.ts";
import { readTrajectories } from "./trajectories.ts";

/** What an arm is opened with. */
export interface OrealOpening extends ArmOpening<OrealConfig> {
  /** The run whose stored responses are learnt from. */
  readonly replay: string | undefined;
}

/**
 * Where an arm's responses come from: those stored by an earlier run, if one is replayed; else the policy as it is when
 * asked. Changes nothing, and ends with `Interrupted` where the person asks to stop.
 */
export async function rolloutSource(
  policy: Model,
  { config, inputs, reporter, interrupted, replay }: OrealOpening,
  verify: Verify,
): Promise<(iteration: number) => Promise<Rollouts>> {
  const questions = await questionsOf(inputs.tokens, policy.tokenizer, inputs.trainingAnswersOf);
  const note = first(reporter.note);
  return async (iteration) => {
    if (replay !== undefined) return readTrajectories(replay, iteration, { ...policy.config, questions, note });
    const onProgress = whenSlow(stoppable(reporter, interrupted), interrupted);
    return drawRollouts(policy, { questions, config, verify, iteration, onProgress });
  };
}

/** Passes the first sentence on, and none after it. */
function first(tell: (sentence: string) => void): (sentence: string) => void {
  let told = false;
  return (sentence) => {
    if (!told) tell(sentence);
    told = true;
  };
}

const slowMilliseconds = 5000;

/** Says how far the drawing is where it takes long; notices a request to stop at once. */
function whenSlow(reporter: ArmReporter, interrupted: () => boolean): (done: number, total: number) => void {
  const start = performance.now();
  let slow = false;
  return (done, total) => {
    slow ||= interrupted() || performance.now() - start > slowMilliseconds;
    if (slow) reporter.working("drawing responses", done, total);
  };
}
