import { join } from "node:path";
import { loadEntry } from "../../config/load-entry.ts";
import { createFrom } from "../../config/catalogue.ts";
import { isModulePath, methodLabel, type MethodChoice } from "../../config/method-choice.ts";
import { rewards as catalogue } from "../../reward/catalogue.ts";
import { outcomeRewards, rightResponses, type Outcomes, type VerdictRange } from "../../reward/outcomes.ts";
import { threadReward } from "../../reward/own-thread.ts";
import { judgeEntry, type JudgeOptions, judgeReward } from "../../reward/rewards/judge.ts";
import { rewardSum, type WeightedReward } from "../../reward/reward-sum.ts";
import type { Reward } from "../../reward/reward.ts";
import { UserError } from "../../system/errors.ts";
import type { Tokenizer } from "../../text/index.ts";
import type { Judged, Question } from "../kit/responses/index.ts";
import { openJudge, type JudgeOpening, type JudgeServer } from "./judge.ts";
import { joinRounds, type Rollouts } from "./rollouts.ts";

/** Rewards of judged responses, one entry each. */
export interface Rewarded {
  readonly outcomes: Outcomes;
  /** Where they are a sum: what each reward gave, before its weight. */
  readonly parts?: readonly { readonly name: string; readonly values: Float64Array }[];
}

export type RewardedRollouts = Rollouts & Rewarded;

/** Rounds of an iteration as one. */
export function joinRewarded(first: RewardedRollouts, second: RewardedRollouts): RewardedRollouts {
  const lists = (["groups", "rewards", "counted", "right", "greedyRewards"] as const).flatMap((key) => {
    const [one, other] = [first.outcomes[key], second.outcomes[key]];
    return one && other ? [[key, [...Array.from(one), ...Array.from(other)]]] : [];
  });
  const parts = first.parts?.map(({ name, values }, i) => ({
    name,
    values: Float64Array.of(...values, ...second.parts![i]!.values),
  }));
  return {
    ...joinRounds(first, second),
    outcomes: { ...first.outcomes, ...Object.fromEntries(lists) },
    ...(parts && { parts }),
  };
}

/**
 * Outcomes with the rewards of greedy responses, one to each question. Responses to a question that has none, as a server has
 * not given it, do not count.
 */
export function withGreedy(outcomes: Outcomes, greedy: readonly Judged[], { outcomes: theirs }: Rewarded): Outcomes {
  const rewards = new Map(greedy.map(({ rowId }, i) => [rowId, theirs.rewards[i]!]));
  const groups = Array.from(outcomes.groups);
  const counts = (k: number): boolean => outcomes.counted === undefined || Boolean(outcomes.counted[k]);
  return {
    ...outcomes,
    counted: groups.map((group, k) => Number(counts(k) && rewards.has(group))),
    greedyRewards: groups.map((group) => rewards.get(group) ?? 0),
  };
}

/** What responses are rewarded with, and how they are shown to it. */
export interface RewardOptions {
  /** Absent: the verifier's word alone. */
  rewards: readonly MethodChoice[] | undefined;
  /** Rewards of the verifier's word, and what becomes of responses that it cannot judge. */
  verdicts: { readonly range: VerdictRange; readonly failed: "wrong" | "drop" };
  /** What becomes of responses that were cut off. Default: they are wrong. */
  unfinished?: "wrong" | "drop" | undefined;
  questions: readonly Question[];
  tokenizer: Tokenizer;
  /** How the judges among the rewards are opened. */
  judges: JudgesOpening;
}

/** What judges need of a run: its folder, which keeps their replies, and what `openJudge` asks for. */
export type JudgesOpening = Omit<JudgeOpening, "replies"> & { readonly run: string };

/** Gives responses their rewards. Close it after use. */
export interface RewardJudge {
  /** @throws UserError for a reward that fails on a response, naming row and response */
  reward(responses: readonly Judged[], onProgress: (done: number, total: number) => void): Promise<Rewarded>;
  close(): Promise<void>;
}

/**
 * Readies the configured rewards.
 * @throws UserError for a module of the user's own that cannot be used
 */
export async function openRewards(options: RewardOptions): Promise<RewardJudge> {
  const { rewards: choices, verdicts, unfinished, questions, tokenizer, judges } = options;
  const ofVerdicts = (responses: readonly Judged[]) => {
    const said = responses.map(({ verdict }) => verdict);
    const { rewards, counted } = outcomeRewards(said, verdicts);
    if (unfinished === "drop") responses.forEach(({ finished }, k) => (counted[k]! *= Number(finished)));
    return { groups: responses.map(({ rowId }) => rowId), range: verdicts.range, rewards, counted };
  };
  if (choices === undefined || isVerifierAlone(choices))
    return { reward: async (responses) => ({ outcomes: ofVerdicts(responses) }), close: async () => undefined };
  const names = rewardNames(choices);
  const sum = await Promise.all(
    choices.map((choice, i) =>
      openReward(choice, { ...judges, replies: join(judges.run, "judge", `${names[i]}.jsonl`) }),
    ),
  );
  const verified = choices.some(({ method }) => method === "verifier");
  const asked = new Map(questions.map(({ rowId, prompt, reference }) => [rowId, { prompt, reference }]));
  return {
    async reward(responses, onProgress) {
      const { groups, counted, ...judged } = ofVerdicts(responses);
      const right = rightResponses(judged);
      const shown = responses.map(({ rowId, text, ids }, k) => {
        const { prompt, reference } = asked.get(rowId)!;
        const question = tokenizer.decode(prompt, { skipSpecialTokens: true });
        return {
          ...{ rowId, question, text, reference, tokens: ids.length },
          ...{ right: right[k] === 1, outcome: judged.rewards[k]! },
        };
      });
      const { rewards, parts } = await rewardSum(sum, shown, { onProgress });
      return {
        outcomes: { groups, counted, range: "real", rewards, ...(verified && { right }) },
        parts: parts.map((values, i) => ({ name: names[i]!, values })),
      };
    },
    async close() {
      await Promise.all(sum.map(({ reward }) => reward.close?.()));
    },
  };
}

/** Loads the user's own rewards once. Throws a UserError for one that cannot be used. */
export async function checkRewards(choices: readonly MethodChoice[] = []): Promise<void> {
  for (const choice of choices) await openReward(choice); // a thread is started, and a judge asked, with the first response
}

/** What each reward is called in records: its method, counted where that is there more than once. */
export function rewardNames(choices: readonly MethodChoice[]): string[] {
  const names = choices.map(({ method }) => methodLabel(method));
  return names.map((name, i) => {
    const before = names.slice(0, i).filter((other) => other === name).length;
    return before === 0 ? name : `${name}-${before + 1}`;
  });
}

function isVerifierAlone([first, ...others]: readonly MethodChoice[]): boolean {
  return first?.method === "verifier" && (first["weight"] ?? 1) === 1 && others.length === 0;
}

const usualTimeLimit = 10_000; // milliseconds

async function openReward(choice: MethodChoice, judging?: JudgeOpening): Promise<WeightedReward> {
  const { method, weight = 1, timeLimit = usualTimeLimit, ...options } = choice;
  if (method === judgeEntry.name) return { reward: judgeAt(choice, options, judging), weight: Number(weight) };
  if (!isModulePath(method)) return { reward: createFrom<Reward>(catalogue, choice), weight: Number(weight) };
  await loadEntry(method, options, catalogue); // says what is wrong with it
  const name = methodLabel(method);
  return {
    reward: threadReward({ path: method, name, options, timeLimit: Number(timeLimit) }),
    weight: Number(weight),
  };
}

/** A judge at its server; without what opens it, it is only checked. */
function judgeAt(choice: MethodChoice, options: JudgeOptions, judging: JudgeOpening | undefined): Reward {
  const checked = createFrom<Reward>(catalogue, choice);
  if (options.server === undefined)
    throw new UserError("missing-option", "the judge has no server", {
      where: "rewards.server",
      fix: "Say where it is: server: { url: http://127.0.0.1:8000, model: NAME }.",
    });
  if (judging === undefined) return checked;
  const { close, ...asking } = openJudge(options.server as JudgeServer, judging);
  return { ...judgeReward(options, asking), close: async () => close() };
}
