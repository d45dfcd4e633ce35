import type { OrealConfig } from "./config-schema.ts";
import type { Model } from "../../model/model.ts";
import type { GenerationPace } from "../../model/generation/options.ts";
import { permutation } from "../../data/epoch-order.ts";
import { drawResponses, judgeResponses, type Judged, type Question, type Verify } from "../kit/responses/index.ts";
import type { ServedDraw } from "../kit/served/index.ts";

/** The responses of an iteration, judged: all samples of its first question, then those of its second, ... */
export interface Rollouts {
  /** From 0. */
  readonly iteration: number;
  readonly responses: readonly Judged[];
  /** Of each response, where it is known: the log-probabilities that its tokens had when it was drawn. */
  readonly logProbs?: readonly (Float32Array | undefined)[];
  readonly pace?: GenerationPace;
  /** Where a server has drawn them. */
  readonly served?: Omit<ServedDraw, "drawn" | "pace">;
}

/**
 * The questions of an iteration: a new seeded order in each epoch, none twice in an iteration; what is left over at the
 * end of an epoch is left out of it.
 * @param questions of an epoch; one that is there several times is asked as often
 */
export function questionsOfIteration(
  questions: readonly Question[],
  perStep: number,
  { seed, iteration }: { seed: number; iteration: number },
): Question[] {
  const distinct = new Set(questions).size;
  const count = Math.min(perStep, distinct);
  if (distinct < questions.length) return amongRepeated(questions, count, { seed, iteration });
  const steps = Math.floor(questions.length / count);
  const order = permutation(questions.length, seed, "questions", Math.floor(iteration / steps));
  const first = (iteration % steps) * count;
  return Array.from(order.subarray(first, first + count), (index) => questions[index]!);
}

/** Epochs of questions of which some come again: one that an iteration has already is put off to the next. */
function amongRepeated(
  questions: readonly Question[],
  count: number,
  { seed, iteration }: { seed: number; iteration: number },
): Question[] {
  let left = iteration;
  for (let epoch = 0; ; epoch++) {
    let waiting = Array.from(permutation(questions.length, seed, "questions", epoch), (index) => questions[index]!);
    for (;;) {
      const asked = new Set<Question>();
      const later: Question[] = [];
      for (const question of waiting) {
        if (asked.size < count && !asked.has(question)) asked.add(question);
        else later.push(question);
      }
      if (asked.size < count) break;
      if (left-- === 0) return [...asked];
      waiting = later;
    }
  }
}

export interface RolloutOptions {
  questions: readonly Question[];
  config: Pick<OrealConfig, "sampling" | "training">;
  verify: Verify;
  iteration: number;
  onProgress: (done: number, total: number) => void;
  /** Draws in place of the policy itself. */
  serve?: ServedDrawing;
}

/** Has a server draw responses. */
export type ServedDrawing = (
  asked: readonly Question[],
  round: Pick<RolloutOptions, "iteration" | "onProgress">,
) => Promise<ServedDraw>;

/** Draws responses from the policy and judges them. Changes nothing. */
export async function drawRollouts(
  policy: Model,
  { questions, config, verify, iteration, onProgress, serve }: RolloutOptions,
): Promise<Rollouts> {
  const { questionsPerStep, samples, temperature, topP, topK, maxNewTokens, batchSize } = config.sampling;
  const { seed } = config.training;
  const asked = questionsOfIteration(questions, questionsPerStep, { seed, iteration });
  const judging = { tokenizer: policy.tokenizer, verify };
  if (serve !== undefined) {
    const { drawn, pace, ...served } = await serve(asked, { iteration, onProgress });
    return { iteration, responses: await judgeResponses(drawn, asked, judging), pace, served };
  }
  let pace: GenerationPace | undefined;
  const drawn = await drawResponses(policy, asked, {
    ...{ samples, temperature, topP, maxNewTokens, batchSize, seed, iteration },
    ...(topK !== undefined && { topK }),
    onProgress(done, total, newest) {
      pace = newest;
      onProgress(done, total);
    },
  });
  const responses = await judgeResponses(drawn, asked, judging);
  return { iteration, responses, ...(pace && { pace }) };
}
