/**
 * Anchored supervised fine-tuning, ASFT (https://arxiv.org/abs/2509.23753): DFT, and a divergence from the starting model
 * that keeps the model near it, as DFT alone lets it drift.
 *
 *     loss = mean over response tokens of sg(p(i)) * L(i) + lambda * KL(start ‖ model)(i)
 *
 * The divergence is over the whole vocabulary where the token is predicted, and has a gradient. Its direction is that of
 * the released program; the paper (section 5.3) is quoted as taking the other one, KL(model ‖ start), which is not offered
 * here. lambda is 0.05, as in the program's example; the program's default is 0.1. The program takes means over each
 * micro-batch, this library over the optimizer step.
 */
import type { Entry, TokenRule } from "../contract/index.ts";
import { dft } from "./dft.ts";
import { requireOption } from "./options.ts";

/** Options of `asft`. */
export interface AsftOptions {
  /** Weight of the divergence: lambda, 0 or more; 0 is DFT. Default 0.05. */
  readonly coefficient?: number;
}

/**
 * DFT's weights, `[rows * width]`, and an anchor: whoever trains adds `anchor * KL(reference ‖ model)` to the mean of the
 * response tokens (`ruleStep` does). Losses are in nats.
 *
 * @throws UserError for an impossible option
 * @see https://arxiv.org/abs/2509.23753
 */
export function asft({ coefficient = 0.05 }: AsftOptions = {}): TokenRule<"nll"> {
  requireOption("asft", "coefficient", coefficient, coefficient >= 0 && coefficient < Infinity, "0 or more");
  return { ...dft(), name: "asft", anchor: coefficient };
}

export const asftEntry = {
  name: "asft",
  summary: "Weighs each token by its own probability, as dft, and holds the model near its start.",
  formula: "w(i) = sg(p(i)), and lambda * KL(start ‖ model)(i) over the vocabulary, both as means over response tokens",
  paper: "https://arxiv.org/abs/2509.23753",
  options: {
    coefficient: {
      type: "number",
      minimum: 0,
      default: 0.05,
      description: "Weight of the divergence from the starting model: lambda; 0 is dft.",
    },
  },
  notes: [
    "The starting model runs beside the one in training, and is in memory a second time unless an adapter trains.",
    "`lossAnchor` of a run's record is the divergence's part of the loss. A prompt that trains has none.",
    "`finetune` trains it, and `ruleStep`. `sstoken`, whose trainer knows weights alone, and `tokensift score` refuse it.",
  ],
  create: asft,
} as const satisfies Entry<TokenRule>;
