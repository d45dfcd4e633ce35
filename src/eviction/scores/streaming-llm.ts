/**
 * StreamingLLM, https://arxiv.org/abs/2309.17453: the first tokens, on which attention rests, and the most recent ones.
 *
 *     score_j = 2 n - j  for j < sinks,  j  for the others      (n tokens in the row)
 *
 * A budget of k entries keeps the first `sinks` tokens and the last k - sinks. Later tokens do not move a score's order.
 */
import type { Entry } from "../../contract/index.ts";
import { type EvictionScore, type PositionScore, scoreHeads } from "../key-score.ts";
import { wholeNumber } from "../../system/refuse-option.ts";

export interface StreamingLlmOptions {
  /** First tokens that are kept. Default 4 (paper). */
  readonly sinks?: number;
}

/**
 * The score of StreamingLLM; the same for every head.
 * Scores are `[rows * width * heads]`, large = keep.
 *
 * @throws UserError for sinks that are no whole number
 * @see https://arxiv.org/abs/2309.17453
 */
export function streamingLlm({ sinks = 4 }: StreamingLlmOptions = {}): PositionScore {
  wholeNumber("sinks", sinks, 0);
  return {
    name: "streaming-llm",
    reads: "positions",
    score: (shape) =>
      scoreHeads(shape, (length, index, out) => {
        for (let t = 0; t < length; t++) out[index(t)] = t < sinks ? 2 * length - t : t;
      }),
  };
}

export const streamingLlmEntry = {
  name: "streaming-llm",
  summary: "Keeps the first tokens, on which attention rests, and the most recent ones.",
  formula: "score(j) = 2 n - j for j < sinks, j for the others, of n tokens",
  paper: "https://arxiv.org/abs/2309.17453",
  options: { sinks: { type: "integer", minimum: 0, default: 4, description: "First tokens that are kept." } },
  takes: ["sinks"],
  create: streamingLlm,
} as const satisfies Entry<EvictionScore>;
