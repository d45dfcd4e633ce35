import type { ServerConfig } from "../../config/server-group.ts";
import type { Model } from "../../model/model.ts";
import type { ArmOpening } from "../kit/arms.ts";
import { stoppable, type ArmReporter } from "../kit/reporter.ts";
import type { Question, Verify } from "../kit/responses/index.ts";
import { drawServed, policyName } from "../kit/served/index.ts";
import type { OrealConfig } from "./config-schema.ts";
import type { RewardJudge, RewardedRollouts } from "./rewards.ts";
import { drawRollouts, type Rollouts, type ServedDrawing } from "./rollouts.ts";
import { readTrajectories } from "./trajectories.ts";

/** What an arm is opened with. */
export interface OrealOpening extends ArmOpening<OrealConfig> {
  /** The run whose stored responses are learnt from. */
  readonly replay: string | undefined;
}

/**
 * Where an arm's responses come from: those stored by an earlier run, if one is replayed; else the policy as it is when
 * asked, drawn here or by a server; rewarded. Changes nothing of the arm, and ends with `Interrupted` where the person asks
 * to stop, with `Outage` where the server is gone.
 */
export function rolloutSource(
  policy: Model,
  opening: OrealOpening,
  { questions, verify, reward }: { questions: readonly Question[]; verify: Verify; reward: RewardJudge["reward"] },
): (iteration: number) => Promise<RewardedRollouts> {
  const { config, reporter, interrupted, replay } = opening;
  const note = first(reporter.note);
  const progress = (what: string) => whenSlow(what, stoppable(reporter, interrupted), interrupted);
  const rollouts = async (iteration: number): Promise<Rollouts> => {
    if (replay !== undefined) return readTrajectories(replay, iteration, { ...policy.config, questions, note });
    const onProgress = progress("drawing responses");
    const { server } = config.sampling;
    const serve = server && servedDrawing(policy, opening, server);
    return drawRollouts(policy, { questions, config, verify, iteration, onProgress, ...(serve && { serve }) });
  };
  return async (iteration) => {
    const drawn = await rollouts(iteration);
    return { ...drawn, ...(await reward(drawn.responses, progress("rewarding responses"))) };
  };
}

/** Has the configured server draw an iteration's responses. */
function servedDrawing(policy: Model, { config, run, interrupted }: OrealOpening, server: ServerConfig): ServedDrawing {
  const { samples, temperature, topP, topK, maxNewTokens } = config.sampling;
  const about = {
    ...{ model: policy, start: config.model, run: run.path, interrupted, seed: config.training.seed },
    sampling: { samples, temperature, topP, topK, maxNewTokens },
  };
  return (asked, { iteration, onProgress }) => {
    const answers = `server/answers/${policyName(iteration)}.jsonl`;
    return drawServed(server, asked, { iteration, answers, onProgress }, about);
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

/** Says how far the work is where it takes long; notices a request to stop at once. */
function whenSlow(
  what: string,
  reporter: ArmReporter,
  interrupted: () => boolean,
): (done: number, total: number) => void {
  const start = performance.now();
  let slow = false;
  return (done, total) => {
    slow ||= interrupted() || performance.now() - start > slowMilliseconds;
    if (slow) reporter.working(what, done, total);
  };
}
