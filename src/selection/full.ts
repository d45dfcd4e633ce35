/**
 * Ordinary fine-tuning: every response token counts the same.
 *
 *     w_i = 1
 *
 * The baseline of every table. Divided by the number of response tokens unless `divideBy` says otherwise.
 */
import type { Divisor, Entry, TokenRule } from "../contract/index.ts";
import { divideBySchema } from "./chooser.ts";

/** Options of `full`. */
export interface FullOptions {
  /** Default `kept`, which is every response token. */
  readonly divideBy?: Divisor;
}

/**
 * Weight 1 on every response token, `[rows * width]`.
 */
export function full({ divideBy = "kept" }: FullOptions = {}): TokenRule<never> {
  return {
    name: "full",
    needs: [],
    scope: "response",
    divideBy,
    ratio: 1,
    weigh: (tokens) => Float32Array.from(tokens.response),
  };
}

export const fullEntry = {
  name: "full",
  summary: "Every response token counts the same.",
  formula: "w(i) = 1",
  options: { divideBy: divideBySchema("kept") },
  takes: ["divideBy"],
  create: full,
} as const satisfies Entry<TokenRule>;
