/**
 * Entropy-adaptive fine-tuning (https://arxiv.org/abs/2601.02151): tokens of which the model is sure count less,
 * right or wrong, so that it does not unlearn what it is sure of.
 *
 *     w_i = sg((H_top20(i) / ln 20)^alpha)
 *
 * `H_top20` is the entropy of the distribution renormalised over its 20 most likely tokens, in nats, at most ln 20. The
 * released program divides by 3 instead (ln 20 = 2.9957). Divided by the number of response tokens.
 */
import type { Entry, Preset, TokenRule } from "../contract/index.ts";
import { requireOption, valuesOf } from "./options.ts";

/** Options of `eaft`. */
export interface EaftOptions {
  /** Default `recommended`. Options given beside it win. */
  readonly preset?: Preset;
  /** Above 1 sharpens the difference, 0 is full training. Default 1. */
  readonly alpha?: number;
  /** What the entropy is divided by. Default ln 20; `released`: 3. */
  readonly entropyScale?: number;
}

/** Values of the options under each preset. */
export const eaftPresets = {
  paper: { entropyScale: Math.log(20) },
  released: { entropyScale: 3 },
  recommended: { entropyScale: Math.log(20) },
} as const satisfies Record<Preset, EaftOptions>;

/**
 * Weight `(entropyTop20 / entropyScale)^alpha` on every response token, `[rows * width]`.
 * Entropies are in nats.
 *
 * @throws UserError for an impossible option
 * @see https://arxiv.org/abs/2601.02151
 */
export function eaft({ preset = "recommended", alpha = 1, ...options }: EaftOptions = {}): TokenRule<"entropyTop20"> {
  const { entropyScale } = { ...valuesOf("eaft", eaftPresets, preset), ...options };
  requireOption("eaft", "alpha", alpha, alpha >= 0, "0 or more");
  requireOption("eaft", "entropyScale", entropyScale, entropyScale > 0, "above 0");
  // an entropy may fall below 0 by its last bit
  const weight = (entropy: number) => (Math.max(0, entropy) / entropyScale) ** alpha;
  return {
    name: "eaft",
    needs: ["entropyTop20"],
    scope: "response",
    divideBy: "response",
    weigh: ({ response, signals: { entropyTop20 } }) => entropyTop20.map((h, i) => (response[i] ? weight(h) : 0)),
  };
}

export const eaftEntry = {
  name: "eaft",
  summary: "Weighs each token by the entropy of the model, so that what it is sure of stays.",
  formula: "w(i) = sg((H_top20(i) / ln 20)^alpha), divided by the number of response tokens",
  paper: "https://arxiv.org/abs/2601.02151",
  options: {
    alpha: { type: "number", minimum: 0, default: 1, description: "Power of the entropy's share; 0 is full training." },
    entropyScale: {
      type: "number",
      exclusiveMinimum: 0,
      description: "What the entropy is divided by; ln 20 is its largest value.",
    },
  },
  presets: eaftPresets,
  create: eaft,
} as const satisfies Entry<TokenRule, EaftOptions>;
