/**
 * Dynamic entropy fine-tuning, DEFT (https://arxiv.org/abs/2602.11424): each token's loss times a power of its own
 * probability. Where the model is unsure the power is near 0, which is plain fine-tuning; where it is sure it is near 1,
 * which is DFT, whether what it is sure of is the token or another one.
 *
 *     w_i = sg(p_i^alpha_i),  alpha_i = sg(sum_v p(v | x_<i)^2),  p_i = exp(-L(i))
 *
 * `alpha`, the concentration of the whole distribution, is e to the minus its Rényi entropy of order 2. The paper's loss
 * `(1 - p^alpha) / alpha`, with alpha held constant, has this weight as its gradient on `-log p`; the weighted loss that
 * a run records is another number. The released program divides by `alpha + 1e-6`, so that its weight is
 * `p^alpha * alpha / (alpha + 1e-6)`, less where a large vocabulary is all but evenly likely. Divided by the number of
 * response tokens.
 */
import type { Entry, Preset, TokenRule } from "../contract/index.ts";
import { requireOption, valuesOf } from "./options.ts";

/** Options of `deft`. */
export interface DeftOptions {
  /** Default `recommended`. Options given beside it win. */
  readonly preset?: Preset;
  /** Added to alpha where the loss is divided by it. Default 0; `released`: 1e-6. */
  readonly epsilon?: number;
}

/** Values of the options under each preset. */
export const deftPresets = {
  paper: { epsilon: 0 },
  released: { epsilon: 1e-6 },
  recommended: { epsilon: 0 },
} as const satisfies Record<Preset, DeftOptions>;

/**
 * Weight `p^alpha` on every response token, alpha the sum of the squared probabilities where it is predicted,
 * `[rows * width]`. Losses are in nats.
 *
 * @throws UserError for an impossible option
 * @see https://arxiv.org/abs/2602.11424
 */
export function deft({ preset = "recommended", ...options }: DeftOptions = {}): TokenRule<"nll" | "concentration"> {
  const { epsilon } = { ...valuesOf("deft", deftPresets, preset), ...options };
  requireOption("deft", "epsilon", epsilon, epsilon >= 0 && epsilon < Infinity, "0 or more");
  const weight = (loss: number, alpha: number) =>
    Math.exp(-alpha * loss) * (epsilon === 0 ? 1 : alpha / (alpha + epsilon));
  return {
    name: "deft",
    needs: ["nll", "concentration"],
    scope: "response",
    divideBy: "response",
    weigh: ({ response, signals: { nll, concentration } }) =>
      nll.map((loss, i) => (response[i] ? weight(loss, concentration[i]!) : 0)),
  };
}

export const deftEntry = {
  name: "deft",
  summary: "Weighs each token by a power of its probability: 0 where the model is unsure, 1 where it is sure.",
  formula: "w(i) = sg(p(i)^alpha(i)), alpha(i) = sum_v p(v)^2, divided by the number of response tokens",
  paper: "https://arxiv.org/abs/2602.11424",
  options: {
    epsilon: {
      type: "number",
      minimum: 0,
      description: "Added to alpha where the loss (1 - p^alpha) / alpha is divided by it.",
    },
  },
  presets: deftPresets,
  create: deft,
} as const satisfies Entry<TokenRule, DeftOptions>;
