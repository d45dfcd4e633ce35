import type { OrealConfig } from "./config-schema.ts";
import type { Model } from "../../model/model.ts";
import type { GenerationPace } from "../../model/generation/options.ts";
import {
  drawResponses,
  judgeResponses,
  type Drawn,
  type Judged,
  type Question,
  type Verify,
} from "../kit/responses/index.ts";
import type { ServedDraw } from "../kit/served/index.ts";

/** The responses of an iteration, judged: all samples of its first question, then those of its second, ... */
export interface Rollouts {
  /** From 0. */
  readonly iteration: number;
  readonly responses: readonly Judged[];
  /** To each of the questions one, the most likely response, where advantages are told from it. */
  readonly greedy?: readonly Judged[];
  /** Of each response, where it is known: the log-probabilities that its tokens had when it was drawn. */
  readonly logProbs?: readonly (Float32Array | undefined)[];
  /** Columns of the replayed trajectories by name: of each response, where it has them, a number for each token. */
  readonly columns?: ReadonlyMap<string, readonly (Float32Array | undefined)[]>;
  readonly pace?: GenerationPace;
  /** Where a server has drawn them. */
  readonly served?: Omit<ServedDraw, "drawn" | "pace">;
}

export interface RolloutOptions {
  asked: readonly Question[];
  config: Pick<OrealConfig, "sampling" | "training" | "objective">;
  verify: Verify;
  iteration: number;
  /** From 0. */
  round: number;
  onProgress: (done: number, total: number) => void;
  /** Draws in place of the policy itself. */
  serve?: ServedDrawing;
}

/** One drawing by a server. */
export interface ServedAsking extends Pick<RolloutOptions, "iteration" | "round" | "onProgress"> {
  /** Whether one response is drawn to each question, the most likely one. */
  readonly greedy: boolean;
}

/** Has a server draw responses. */
export type ServedDrawing = (asked: readonly Question[], asking: ServedAsking) => Promise<ServedDraw>;

/** Draws responses from the policy and judges them. Changes nothing. */
export async function drawRollouts(policy: Model, options: RolloutOptions): Promise<Rollouts> {
  const { asked, config, verify, iteration, round, onProgress, serve } = options;
  const { samples, temperature, topP, topK, maxNewTokens, batchSize } = config.sampling;
  const { seed } = config.training;
  const judge = (drawn: readonly Drawn[]): Promise<Judged[]> =>
    judgeResponses(drawn, asked, { tokenizer: policy.tokenizer, verify });
  const readsGreedy = config.objective.advantage === "greedy";
  if (serve !== undefined) {
    const { drawn, pace, ...served } = await serve(asked, { iteration, round, onProgress, greedy: false });
    const likeliest = readsGreedy && (await serve(asked, { iteration, round, onProgress, greedy: true }));
    const greedy = likeliest && { greedy: await judge(likeliest.drawn) };
    return { iteration, responses: await judge(drawn), ...greedy, pace, served };
  }
  let pace: GenerationPace | undefined;
  const sizes = { maxNewTokens, batchSize, seed, iteration };
  const drawn = await drawResponses(policy, asked, {
    ...{ ...sizes, samples, temperature, topP },
    ...(topK !== undefined && { topK }),
    onProgress(done, total, newest) {
      pace = newest;
      onProgress(done, total);
    },
  });
  const likeliest =
    readsGreedy && (await drawResponses(policy, asked, { ...sizes, samples: 1, temperature: 0, onProgress }));
  const greedy = likeliest && { greedy: await judge(likeliest) };
  return { iteration, responses: await judge(drawn), ...greedy, ...(pace && { pace }) };
}

/** Rounds of an iteration as one. */
export function joinRounds(first: Rollouts, second: Rollouts): Rollouts {
  const greedy = first.greedy && second.greedy && { greedy: [...first.greedy, ...second.greedy] };
  const pace = first.pace && second.pace && { pace: sumOf(first.pace, second.pace) };
  const served = first.served && second.served && { served: joinServed(first.served, second.served) };
  const responses = [...first.responses, ...second.responses];
  return { iteration: first.iteration, responses, ...greedy, ...pace, ...served };
}

type Served = NonNullable<Rollouts["served"]>;

function joinServed(first: Served, second: Served): Served {
  return {
    logProbs: [...first.logProbs, ...second.logProbs],
    lost: first.lost + second.lost,
    fromText: sumOf(first.fromText, second.fromText),
  };
}

function sumOf<T extends object>(first: T, second: T): T {
  const other = second as Record<string, number>;
  return Object.fromEntries(Object.entries(first).map(([key, value]) => [key, value + other[key]!])) as T;
}
