/**
 * High-entropy minority tokens (https://arxiv.org/abs/2506.01939): trains the forks, where the model hesitates between
 * continuations. Made for reinforcement learning, offered here for the loss of given responses.
 *
 *     keep H(i) >= the (1 - rho) quantile of H over the optimizer step,  rho = 0.2
 *
 * `order: lowest`, ours, keeps H(i) <= the rho quantile instead. The quantile is interpolated linearly between neighbours, and all tokens that equal it are kept. The released program
 * keeps an exact number instead, rho x tokens rounded up (`cut: count`). The paper divides by all response tokens, the
 * program and this library by the kept ones.
 */
import type { Divisor, Entry, Preset, TokenRule } from "../contract/index.ts";
import { keepTop, type Order } from "../ranking/index.ts";
import { chooserSchema } from "./chooser.ts";
import { finiteAt } from "./finite.ts";
import { requireOption, valuesOf } from "./options.ts";

/** Options of `highEntropy`. */
export interface HighEntropyOptions {
  /** Default `recommended`. Options given beside it win. */
  readonly preset?: Preset;
  /** Share of the response tokens to keep, in (0, 1]. Default 0.2. */
  readonly ratio?: number;
  /** Default `quantile`; `released`: `count`. */
  readonly cut?: "quantile" | "count";
  /** The highest entropies, or the lowest. Ours. Default `highest`. */
  readonly order?: Order;
  /** Default `kept`; `paper`: `response`. */
  readonly divideBy?: Divisor;
}

/** Values of the options under each preset. */
export const highEntropyPresets = {
  paper: { ratio: 0.2, cut: "quantile", order: "highest", divideBy: "response" },
  released: { ratio: 0.2, cut: "count", order: "highest", divideBy: "kept" },
  recommended: { ratio: 0.2, cut: "quantile", order: "highest", divideBy: "kept" },
} as const satisfies Record<Preset, HighEntropyOptions>;

/**
 * Weight 1 on the tokens of the step whose entropy is highest (under `order: lowest` lowest), 0 elsewhere, `[rows * width]`.
 * Entropies are in nats.
 *
 * @throws UserError for an impossible option; when weighing, for an entropy that is not finite (naming row and token)
 * @see https://arxiv.org/abs/2506.01939
 */
export function highEntropy({ preset = "recommended", ...options }: HighEntropyOptions = {}): TokenRule<"entropy"> {
  const name = "high-entropy";
  const { ratio, cut, order, divideBy } = { ...valuesOf(name, highEntropyPresets, preset), ...options };
  requireOption(name, "ratio", ratio, ratio > 0 && ratio <= 1, "above 0 and at most 1");
  requireOption(name, "cut", cut, cut === "quantile" || cut === "count", "quantile or count");
  requireOption(name, "order", order, order === "highest" || order === "lowest", "highest or lowest");
  const needs = ["entropy"] as const;
  if (cut === "count")
    return keepTop(
      { name, needs, score: (tokens) => tokens.signals.entropy },
      { ratio, order, scope: "step" },
      { divideBy },
    );
  return {
    name,
    needs,
    scope: "step",
    divideBy,
    ratio,
    weigh(tokens) {
      const places = [...tokens.response.keys()].filter((i) => tokens.response[i]);
      const entropies = Float64Array.from(places, (i) => finiteAt(tokens, "entropy", i)).sort();
      const { entropy } = tokens.signals;
      const threshold = quantile(entropies, order === "lowest" ? ratio : 1 - ratio);
      const keeps = (h: number): boolean => (order === "lowest" ? h <= threshold : h >= threshold);
      return Float32Array.from(tokens.response, (mark, i) => +(mark === 1 && keeps(entropy[i]!)));
    },
  };
}

/** Interpolated linearly; a rank within 1e-9 of a whole number counts as that, whatever float64 makes of the product. */
function quantile(ascending: Float64Array, q: number): number {
  const rank = q * (ascending.length - 1);
  const below = Math.floor(rank + 1e-9);
  const low = ascending[below]!;
  const fraction = rank - below;
  return fraction > 1e-9 ? low + fraction * (ascending[below + 1]! - low) : low;
}

export const highEntropyEntry = {
  name: "high-entropy",
  summary: "Trains the tokens at which the model hesitates most.",
  formula: "keep H(i) >= the (1 - rho) quantile of H, over the optimizer step",
  paper: "https://arxiv.org/abs/2506.01939",
  options: {
    ratio: { ...chooserSchema.ratio, default: 0.2 },
    cut: {
      enum: ["quantile", "count"],
      description: "Keep all that reach the quantile, or exactly ratio x tokens, rounded up.",
    },
    order: { ...chooserSchema.order, default: "highest" },
    divideBy: chooserSchema.divideBy,
  },
  presets: highEntropyPresets,
  takes: ["ratio", "divideBy"],
  create: highEntropy,
} as const satisfies Entry<TokenRule, HighEntropyOptions>;
