import type { Decoder } from "../../model/decoder.ts";
import { generate } from "../../model/generation/generate.ts";
import type { GenerateOptions } from "../../model/generation/options.ts";
import type { Generated } from "../../model/generation/rows.ts";
import type { CountRight } from "./find-critical-tokens.ts";

/** A wrong answer behind its prompt, as token ids. */
export interface WrongAnswer {
  /** Names its random streams, which nothing but this, the seed and the place in the answer decides. */
  readonly name: string;
  readonly prompt: readonly number[];
  readonly ids: readonly number[];
}

/** How continuations are drawn and judged. */
export interface RolloutOptions extends Pick<
  GenerateOptions,
  "temperature" | "topK" | "topP" | "batchSize" | "stop" | "onProgress"
> {
  /** Continuations of each prefix. */
  readonly rollouts: number;
  /** New tokens of each at most. */
  readonly maxNewTokens: number;
  /** Default 0. */
  readonly seed?: number;
  /** Whether a whole answer, prefix and continuation, is right; `finished`: a stop id has ended it. */
  readonly isRight: (answer: number, ids: readonly number[], finished: boolean) => boolean | Promise<boolean>;
}

/**
 * Draws continuations of wrong answers from a model. Prefixes stay the ids that they are: nothing is decoded and
 * tokenized again. On the cpu engine a count depends on the prefix, the options and the answer's name alone, not on what
 * else is drawn with it; other engines round differently for other batches.
 * @param options.temperature default 1
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { findCriticalTokens, modelRollouts } from "tokensift/evaluation";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * // a made-up task: an answer is right if it does not hold the token 9
 * const answers = [{ name: "first", prompt: [5, 6, 7], ids: [8, 9, 10] }];
 * const isRight = (_: number, ids: readonly number[]): boolean => !ids.includes(9);
 * const count = modelRollouts(model, answers, { rollouts: 4, maxNewTokens: 1, isRight });
 * const [found] = await findCriticalTokens([answers[0]!.ids], count, { rollouts: 4 });
 * found!.critical?.place; //=> 1
 * releaseEngine();
 */
export function modelRollouts(
  model: Decoder,
  answers: readonly WrongAnswer[],
  { rollouts, isRight, temperature = 1, ...options }: RolloutOptions,
): CountRight {
  return async (prefixes) => {
    const drawn = await generate(
      model,
      prefixes.map(({ answer, kept }) => [...answers[answer]!.prompt, ...answers[answer]!.ids.slice(0, kept)]),
      {
        ...options,
        temperature,
        samples: rollouts,
        rowIds: prefixes.map(({ answer, kept, purpose }) => `${answers[answer]!.name} ${kept} ${purpose}`),
        forbidFirst: prefixes.map(({ forbidden }) => (forbidden === undefined ? [] : [forbidden])),
      },
    );
    const counts: number[] = [];
    for (const [i, { answer, kept }] of prefixes.entries()) {
      const before = answers[answer]!.ids.slice(0, kept);
      counts.push(0);
      for (const { ids, finished, times } of distinct(drawn.slice(i * rollouts, (i + 1) * rollouts)))
        if (await isRight(answer, [...before, ...ids], finished)) counts[i]! += times;
    }
    return counts;
  };
}

/** Each continuation once, so that none is judged twice. */
function distinct(continuations: readonly Generated[]): (Generated & { times: number })[] {
  const seen = new Map<string, Generated & { times: number }>();
  for (const each of continuations) {
    const name = `${each.finished} ${each.ids.join(" ")}`;
    const before = seen.get(name);
    if (before === undefined) seen.set(name, { ...each, times: 1 });
    else before.times++;
  }
  return [...seen.values()];
}
