/**
 * iw-SFT, importance-weighted fine-tuning (https://arxiv.org/abs/2507.12856): what the model has come to find likelier
 * than a reference model does counts more, what it has come to find unlikelier less.
 *
 *     w_i = sg(clamp(p_theta(i) / p_reference(i), 0.2, 1.8)) = sg(clamp(exp(L_reference(i) - L(i)), 0.2, 1.8))
 *
 * The released program runs with one weight for a whole row, the geometric mean of the ratios of its response tokens
 * clamped to [0, 16]: `over: sequence`. With the starting model as reference all weights start at 1. Divided by the
 * number of response tokens.
 */
import type { Entry, Preset, TokenRule, Tokens } from "../contract/index.ts";
import { excessLoss } from "./excess-loss.ts";
import { requireOption, valuesOf } from "./options.ts";

/** Options of `iwSft`. */
export interface IwSftOptions {
  /** Default `recommended`. Options given beside it win. */
  readonly preset?: Preset;
  /** What has a weight of its own, each token or each row. Default `token`; `released`: `sequence`. */
  readonly over?: "token" | "sequence";
  /** Default 0.2 for tokens, 0 for rows. */
  readonly minimum?: number;
  /** Default 1.8 for tokens, 16 for rows. */
  readonly maximum?: number;
}

const clamps = { token: { minimum: 0.2, maximum: 1.8 }, sequence: { minimum: 0, maximum: 16 } } as const;

/** Values of the options under each preset. */
export const iwSftPresets = {
  paper: { over: "token", ...clamps.token },
  released: { over: "sequence", ...clamps.sequence },
  recommended: { over: "token", ...clamps.token },
} as const satisfies Record<Preset, IwSftOptions>;

/**
 * Weight: the clamped ratio of probabilities on every response token, `[rows * width]`.
 * Losses are in nats.
 *
 * @throws UserError for an impossible option
 * @see https://arxiv.org/abs/2507.12856
 */
export function iwSft({ preset = "recommended", ...options }: IwSftOptions = {}): TokenRule<"nll" | "referenceNll"> {
  const over = options.over ?? valuesOf("iw-sft", iwSftPresets, preset).over;
  requireOption("iw-sft", "over", over, Object.hasOwn(clamps, over), "token or sequence");
  const { minimum, maximum } = { ...clamps[over], ...options };
  requireOption("iw-sft", "minimum", minimum, minimum >= 0, "0 or more");
  requireOption("iw-sft", "maximum", maximum, maximum >= minimum, `at least the minimum, ${minimum}`);
  return {
    name: "iw-sft",
    needs: ["nll", "referenceNll"],
    scope: "response",
    divideBy: "response",
    weigh(tokens) {
      const logRatio = excessLoss(tokens, "referenceNll", "nll");
      if (over === "sequence") averageRows(logRatio, tokens);
      const weight = (x: number) => Math.min(maximum, Math.max(minimum, Math.exp(x)));
      return logRatio.map((x, i) => (tokens.response[i] ? weight(x) : 0));
    },
  };
}

/** Gives the response tokens of each row their mean, in place. */
function averageRows(values: Float32Array, { rows, width, response }: Tokens): void {
  for (let b = 0; b < rows; b++) {
    const row = values.subarray(b * width, (b + 1) * width);
    const count = response.subarray(b * width, (b + 1) * width).reduce((sum, mark) => sum + mark, 0);
    if (count > 0) row.fill(row.reduce((sum, value) => sum + value, 0) / count);
  }
}

export const iwSftEntry = {
  name: "iw-sft",
  summary: "Weighs each token by how much likelier it has become than under a reference model.",
  formula: "w(i) = sg(clamp(exp(L_reference(i) - L(i)), 0.2, 1.8)), divided by the number of response tokens",
  paper: "https://arxiv.org/abs/2507.12856",
  options: {
    over: { enum: ["token", "sequence"], description: "What has a weight of its own: each token, or each row." },
    minimum: { type: "number", minimum: 0, description: "Lowest weight; of rows 0 unless given." },
    maximum: { type: "number", minimum: 0, description: "Highest weight; of rows 16 unless given." },
  },
  presets: iwSftPresets,
  create: iwSft,
} as const satisfies Entry<TokenRule, IwSftOptions>;
