/**
 * Format reward, as of DeepSeek-R1 (https://arxiv.org/abs/2501.12948): 1 where the response fits a pattern, else 0.
 *
 * The pattern's time grows with the length of the response alone, whatever the pattern is: a response cannot make it hang.
 */
import type { Entry } from "../../contract/index.ts";
import { UserError } from "../../system/errors.ts";
import { linearPattern } from "../../text/patterns/pattern.ts";
import { PatternRefused } from "../../text/patterns/tree.ts";
import { placeOf } from "../reward-sum.ts";
import type { Reward } from "../reward.ts";
import { weightOption } from "./options.ts";

export interface FormatOptions {
  /** A regular expression of JavaScript with the flag `u`, without references back. Default: thinking in tags, and an answer. */
  readonly pattern?: string;
  /** `whole` (default): it must match the response from its beginning to its end; `anywhere`: a part. */
  readonly match?: "whole" | "anywhere";
}

const thinking = String.raw`<think>[\s\S]*</think>[\s\S]*\S[\s\S]*`;

/**
 * The reward for a format.
 *
 * @throws UserError for a pattern that cannot be used
 */
export function formatReward({ pattern = thinking, match = "whole" }: FormatOptions = {}): Reward {
  const find = refusing("Its pattern cannot be used", () => {
    return linearPattern(match === "whole" ? `^(?:${pattern})$` : pattern);
  });
  return {
    name: "format",
    score: (group) =>
      group.map((response) => {
        const found = refusing("The format's pattern cannot be used", () => find(response.text), placeOf(response));
        return Number(found.length > 0);
      }),
  };
}

/** Says of a pattern what is wrong with it: its syntax, or that it takes too much. */
function refusing<T>(what: string, work: () => T, where?: string): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PatternRefused || error instanceof SyntaxError)) throw error;
    const code = where === undefined ? "invalid-option" : "reward-failed";
    throw new UserError(code, `${what}: ${error.message.replace(/\.$/, "")}.`, {
      ...(where !== undefined && { where }),
      fix: "Give a regular expression of JavaScript, with the flag u, without references back to a group.",
    });
  }
}

export const formatEntry = {
  name: "format",
  summary: "Whether the response fits a pattern.",
  formula: "r(y) = 1 if the pattern matches y, else 0",
  paper: "https://arxiv.org/abs/2501.12948",
  options: {
    weight: weightOption,
    pattern: {
      type: "string",
      minLength: 1,
      default: thinking,
      description: "A regular expression of JavaScript with the flag u, without references back to a group.",
    },
    match: {
      type: "string",
      enum: ["whole", "anywhere"],
      default: "whole",
      description: "Whether the pattern must match the whole response, or a part of it anywhere.",
    },
  },
  notes: ["The time that it takes grows with the length of the response alone: no pattern can make a run hang."],
  create: formatReward,
} as const satisfies Entry<Reward, FormatOptions>;
