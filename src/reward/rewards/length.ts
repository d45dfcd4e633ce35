/**
 * Length rewards, T the length of a response in tokens.
 *
 *     group      lambda = .5 - (T - T_min) / (T_max - T_min) over the responses to a question, 0 where all are as long;
 *                lambda if right, min(0, lambda) if wrong        Kimi k1.5, https://arxiv.org/abs/2501.12599
 *     overlong   0 up to `from` tokens, -1 from `to` on, and a straight line between: (from - T) / (to - from)
 *                                                                DAPO, https://arxiv.org/abs/2503.14476, equation 13
 */
import type { Entry } from "../../contract/index.ts";
import { refusing } from "../../system/refuse-option.ts";
import type { Reward } from "../reward.ts";
import { weightOption } from "./options.ts";

const refuse = refusing("length reward");

export interface LengthOptions {
  /** `group` (default): short among the responses to its question; `overlong`: not too long. */
  readonly form?: "group" | "overlong";
  /** Of `overlong`: tokens that are not punished yet. Default 192. */
  readonly from?: number;
  /** Of `overlong`: tokens from which on the punishment is whole. Default 256, that of `sampling.maxNewTokens`. */
  readonly to?: number;
}

/**
 * The reward for short responses.
 *
 * @throws UserError for an impossible option
 */
export function lengthReward({ form = "group", from = 192, to = 256 }: LengthOptions = {}): Reward {
  if (form !== "group" && form !== "overlong") refuse("form", form, "group or overlong");
  if (!(from >= 0 && from < to && to < Infinity)) refuse("from", from, `at least 0 and below to (${to})`);
  return {
    name: "length",
    score(group) {
      if (form === "overlong")
        return group.map(({ tokens }) => (tokens <= from ? 0 : Math.max(-1, (from - tokens) / (to - from))));
      const lengths = group.map(({ tokens }) => tokens);
      const [least, most] = [Math.min(...lengths), Math.max(...lengths)];
      if (least === most) return group.map(() => 0);
      return group.map(({ tokens, right }) => {
        const lambda = 0.5 - (tokens - least) / (most - least);
        return right ? lambda : Math.min(0, lambda);
      });
    },
  };
}

export const lengthEntry = {
  name: "length",
  summary: "Rewards short responses: among those to one question, or below a limit.",
  formula:
    "group: l = .5 - (T - T_min) / (T_max - T_min); l if right, min(0, l) if wrong; overlong: clamp((from - T) / (to - from), -1, 0)",
  paper: "https://arxiv.org/abs/2501.12599",
  options: {
    weight: weightOption,
    form: {
      type: "string",
      enum: ["group", "overlong"],
      default: "group",
      description: "Short among the responses to its question (Kimi k1.5), or not too long (DAPO, 2503.14476).",
    },
    from: { type: "number", minimum: 0, default: 192, description: "Of overlong: tokens that are not punished yet." },
    to: {
      type: "number",
      exclusiveMinimum: 0,
      default: 256,
      description: "Of overlong: tokens from which on the punishment is whole, -1; sampling.maxNewTokens, say.",
    },
  },
  notes: ["A length is counted in tokens, the one that ends the response included."],
  create: lengthReward,
} as const satisfies Entry<Reward, LengthOptions>;
