import { UserError } from "../../system/errors.ts";
import type { Decoder } from "../decoder.ts";
import type { CacheMaker } from "./key-value-cache.ts";
import type { Sampling } from "./sample.ts";

/** How prompts are continued. */
export interface GenerateOptions {
  /** A row ends after so many new tokens at the latest. */
  maxNewTokens: number;
  /** 0 (the default) always takes the most likely token. */
  temperature?: number;
  topK?: number;
  topP?: number;
  /** Ids that end a row. Default: the model's end-of-text ids. */
  stop?: readonly number[];
  /** Texts to continue each prompt with, each drawn from a stream of its own (default 1). */
  samples?: number;
  /** Rows worked on at a time (default 16). The result does not depend on it, memory does. */
  batchSize?: number;

  /** `seed`, `iteration`, a prompt's name (`rowIds`) and a sample's number name its random stream, and nothing else does. */
  seed?: number;
  /** Round of drawing, for methods that draw for the same prompts again. Default 0. */
  iteration?: number;
  /** Names of the prompts. Default: 0, 1, ... */
  rowIds?: ArrayLike<number | string>;
  /** Number of the first sample; the others count on from it. Default 0. */
  sample?: number;

  /** For each prompt, ids that must not come first. */
  forbidFirst?: readonly (readonly number[])[];
  /** Where keys and values are kept. Default: `contiguousCache`. */
  cache?: CacheMaker;
  /**
   * Compute a row that is alone at work as one row, in about half the time. It is then rounded in another way than among
   * others, so that once in a while another token is drawn. Default false.
   */
  fastAlone?: boolean;
  /** Called after each group of prompts and each new token of all rows at work; what it throws ends the generation. */
  onProgress?: (doneRows: number, allRows: number, pace: GenerationPace) => void;
}

/** What generation has done so far: `newTokens / seconds` is its speed. */
export interface GenerationPace {
  promptTokens: number;
  newTokens: number;
  /** Since the start, prompts included. */
  seconds: number;
}

/** @throws UserError for an option out of range */
export function checkedSampling(options: GenerateOptions, prompts: number, vocabulary: number): Sampling {
  const { temperature = 0, topK, topP, maxNewTokens, batchSize = 1, samples = 1, rowIds, forbidFirst } = options;
  const require = (fits: boolean, key: string, rule: string): void => {
    if (!fits) throw new UserError("invalid-option", `${key} must be ${rule}`, { where: "generation" });
  };
  require(Number.isInteger(maxNewTokens) && maxNewTokens >= 0, "maxNewTokens", "a whole number");
  require(Number.isInteger(batchSize) && batchSize >= 1, "batchSize", "a positive whole number");
  require(Number.isInteger(samples) && samples >= 1, "samples", "a positive whole number");
  require(temperature >= 0 && temperature < Infinity, "temperature", "0 (most likely token) or a positive number");
  require(topK === undefined || (Number.isInteger(topK) && topK >= 1), "topK", "a positive whole number");
  require(topP === undefined || (topP > 0 && topP <= 1), "topP", "larger than 0 and at most 1");
  require(rowIds === undefined || rowIds.length === prompts, "rowIds", `${prompts} names, one per prompt`);
  require(forbidFirst === undefined ||
    forbidFirst.length === prompts, "forbidFirst", `${prompts} lists, one per prompt`);
  const known = (forbidden: readonly number[]): boolean =>
    new Set(forbidden).size < vocabulary && forbidden.every((id) => Number.isInteger(id) && id >= 0 && id < vocabulary);
  require(forbidFirst?.every(known) ?? true, "forbidFirst", "ids of the vocabulary, not all of them");
  return { temperature, topK, topP };
}

/** @throws UserError for a prompt that is empty or as long as the model's context */
export function requirePrompt(prompt: readonly number[], index: number, { config }: Decoder): void {
  const where = `prompt ${index}`;
  if (prompt.length === 0) throw new UserError("empty-prompt", "there are no tokens to continue", { where });
  if (prompt.length >= config.maxPositions) {
    const what = `${prompt.length} tokens leave no room for more: the model's context is ${config.maxPositions}`;
    throw new UserError("too-long", what, { where, fix: "Shorten the prompt." });
  }
}
