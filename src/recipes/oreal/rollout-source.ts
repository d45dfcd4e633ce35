import type { ServerConfig } from "../../config/server-group.ts";
import type { Model } from "../../model/model.ts";
import type { ArmOpening } from "../kit/arms.ts";
import { stoppable, type ArmReporter } from "../kit/reporter.ts";
import type { Question, Verify } from "../kit/responses/index.ts";
import { drawServed, policyName } from "../kit/served/index.ts";
import type { OrealConfig } from "./config-schema.ts";
import { questionsOfRound } from "./question-order.ts";
import { joinRewarded, withGreedy, type RewardJudge, type RewardedRollouts } from "./rewards.ts";
import { drawRollouts, type Rollouts, type ServedDrawing } from "./rollouts.ts";
import { readTrajectories } from "./trajectories.ts";

/** What an arm is opened with. */
export interface OrealOpening extends ArmOpening<OrealConfig> {
  /** The run whose stored responses are learnt from. */
  readonly replay: string | undefined;
}

/** How an arm asks and judges. */
export interface RolloutSource {
  /** Of an epoch. */
  readonly questions: readonly Question[];
  readonly verify: Verify;
  readonly reward: RewardJudge["reward"];
  /** Rounds of drawing in an iteration, at most. */
  readonly rounds: number;
  /** Whether rewarded responses are enough to learn from; else further questions are asked. */
  readonly enough: (drawn: RewardedRollouts) => boolean;
}

/**
 * Where an arm's responses come from: those stored by an earlier run, if one is replayed; else the policy as it is when
 * asked, drawn here or by a server, in one round or several; rewarded. Changes nothing of the arm, and ends with `Interrupted`
 * where the person asks to stop, with `Outage` where the server is gone.
 */
export function rolloutSource(
  policy: Model,
  opening: OrealOpening,
  { questions, verify, reward, rounds, enough }: RolloutSource,
): (iteration: number) => Promise<RewardedRollouts> {
  const { config, reporter, interrupted, replay } = opening;
  const note = first(reporter.note);
  const progress = (what: string) => whenSlow(what, stoppable(reporter, interrupted), interrupted);
  const rewarded = async (drawn: Rollouts): Promise<RewardedRollouts> => {
    const onProgress = progress("rewarding responses");
    const own = await reward(drawn.responses, onProgress);
    const { greedy } = drawn;
    if (greedy === undefined) return { ...drawn, ...own };
    return { ...drawn, ...own, outcomes: withGreedy(own.outcomes, greedy, await reward(greedy, onProgress)) };
  };
  const { server, questionsPerStep } = config.sampling;
  const serve = server && servedDrawing(policy, opening, server);
  const draw = (asked: readonly Question[], iteration: number, round: number): Promise<Rollouts> => {
    const onProgress = progress("drawing responses");
    return drawRollouts(policy, { asked, config, verify, iteration, round, onProgress, ...(serve && { serve }) });
  };
  return async (iteration) => {
    if (replay !== undefined) {
      const greedy = config.objective.advantage === "greedy";
      const columns = columnsOf(config.objective);
      return rewarded(readTrajectories(replay, iteration, { ...policy.config, questions, greedy, columns, note }));
    }
    let all: RewardedRollouts | undefined;
    for (let round = 0; round < rounds && !(all && enough(all)); round++) {
      const asked = questionsOfRound(questions, questionsPerStep, { seed: config.training.seed, iteration, round });
      if (asked.length === 0) break; // all have been asked
      const drawn = await rewarded(await draw(asked, iteration, round));
      all = all ? joinRewarded(all, drawn) : drawn;
    }
    return all!;
  };
}

/** Has the configured server draw an iteration's responses. */
function servedDrawing(policy: Model, { config, run, interrupted }: OrealOpening, server: ServerConfig): ServedDrawing {
  const { samples, temperature, topP, topK, maxNewTokens } = config.sampling;
  const about = { model: policy, start: config.model, run: run.path, interrupted, seed: config.training.seed };
  return (asked, { iteration, round, greedy, onProgress }) => {
    const drawn = greedy ? { samples: 1, temperature: 0, topP: 1 } : { samples, temperature, topP, topK };
    const part = `${round > 0 ? `-round-${round + 1}` : ""}${greedy ? "-greedy" : ""}`;
    const answers = `server/answers/${policyName(iteration)}${part}.jsonl`;
    return drawServed(
      server,
      asked,
      { iteration, answers, onProgress },
      { ...about, sampling: { ...drawn, maxNewTokens } },
    );
  };
}

/** What an objective reads of replayed trajectories beside responses, with the least number that it may hold. */
function columnsOf({ weights, advantageColumn }: OrealConfig["objective"]): ReadonlyMap<string, number> {
  return new Map([
    ...(advantageColumn === undefined ? [] : [[advantageColumn, -Infinity] as const]),
    ...(weights.source === "column" ? [[weights.column, 0] as const] : []),
  ]);
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
