import { letEventsIn } from "../../../system/event-loop.ts";
import { generate } from "../../../model/generation/generate.ts";
import type { Decoder } from "../../../model/decoder.ts";
import type { CacheMaker } from "../../../model/generation/key-value-cache.ts";
import type { GenerationPace } from "../../../model/generation/options.ts";
import type { Question } from "./questions.ts";

/** A response drawn from a model. */
export interface Drawn {
  /** Row of its question. */
  readonly rowId: number;
  /** Number among the responses to the question, from 0. */
  readonly sample: number;
  readonly prompt: readonly number[];
  /** The new tokens; the last is the end-of-text token if the response is finished. */
  readonly ids: readonly number[];
  readonly finished: boolean;
}

export interface DrawOptions {
  /** Responses to each question. */
  samples: number;
  temperature: number;
  topP?: number;
  topK?: number;
  maxNewTokens: number;
  /** Responses drawn at once; changes speed and memory alone. */
  batchSize: number;
  seed: number;
  /** Round of drawing. Default 0. */
  iteration?: number;
  /** Where keys and values are kept. Default: all of them. */
  cache?: CacheMaker;
  onProgress?: (done: number, total: number, pace: GenerationPace) => void;
}

/**
 * Draws responses, all of the first question, then those of the second, ... Each has a random stream of its own, named
 * by seed, iteration, question and sample.
 */
export async function drawResponses(
  model: Decoder,
  questions: readonly Question[],
  { onProgress, ...options }: DrawOptions,
): Promise<Drawn[]> {
  const { samples } = options;
  const drawn = await generate(
    model,
    questions.map(({ prompt }) => prompt),
    { ...options, rowIds: questions.map(({ rowId }) => rowId), ...(onProgress && { onProgress }) },
  );
  await letEventsIn();
  return drawn.map(({ ids, finished }, i) => {
    const { rowId, prompt } = questions[Math.floor(i / samples)]!;
    return { rowId, sample: i % samples, prompt, ids, finished };
  });
}
