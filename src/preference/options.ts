import { oneOf, refuse } from "../system/refuse-option.ts";
import type { Weighting } from "./weighting.ts";

/** The sides whose tokens are weighted; the other side's weights are 1. */
export type Sides = "chosen" | "rejected" | "both";

/** What the members of the weighted DPO family differ in. */
export interface WeightedDpoOptions {
  /** Temperature of the DPO loss (γ in the cDPO paper). Default 0.1. */
  readonly dpoBeta?: number;
  /** Weights of the tokens, multiplied with each other; none = 1 everywhere. */
  readonly weights?: readonly { readonly by: Weighting; readonly sides?: Sides }[];
  /** Scale each weighted response's weights to a mean of 1, which keeps the learning rate comparable with DPO. Default false. */
  readonly meanOne?: boolean;
  /**
   * `sequence`: one sigmoid over the sums of a pair. `position`: one sigmoid per position, the i-th chosen against the
   * i-th rejected response token, where the shorter side counts 0. Default `sequence`.
   */
  readonly aggregation?: "sequence" | "position";
  /** Of `position`: `response` = mean over response positions; `padded` = also over prompt and padding, log 2 each. Default `response`. */
  readonly positionMean?: "response" | "padded";
  /** What a side's weighted sum is divided by: 1, its response tokens, or the sum of its weights. Default `none`. */
  readonly normalizer?: "none" | "count" | "weights";
  /** Target margin, taken from the argument of the sigmoid (outside `dpoBeta`). Default 0. */
  readonly margin?: number;
  /** Weight of the chosen response's mean negative log-likelihood (RPO). Default 0. */
  readonly nll?: number;
  /** `none`: log-probabilities in place of log-ratios. Default `cached`. */
  readonly reference?: "cached" | "none";
  /** Adds TDPO's sequential KL; reads the signal `forwardKl`. Default: off. */
  readonly tdpo?: TdpoOptions;
}

/** TDPO1 and TDPO2 (https://arxiv.org/abs/2404.11999). */
export interface TdpoOptions {
  /** 1: `δ = D_rejected - D_chosen`; 2: `δ = α (D_rejected - sg(D_chosen))`. Default 2. */
  readonly version?: 1 | 2;
  /** α of version 2. Default 0.5. */
  readonly alpha?: number;
}

export type WeightedDpoSettings = Required<Omit<WeightedDpoOptions, "tdpo">> & { tdpo?: Required<TdpoOptions> };

/** The options with their defaults. Throws a UserError that names the option at fault. */
export function resolveWeightedDpo({ tdpo, ...options }: WeightedDpoOptions): WeightedDpoSettings {
  const settings: WeightedDpoSettings = {
    dpoBeta: 0.1,
    weights: [],
    meanOne: false,
    aggregation: "sequence",
    positionMean: "response",
    normalizer: "none",
    margin: 0,
    nll: 0,
    reference: "cached",
    ...options,
    ...(tdpo && { tdpo: { version: 2, alpha: 0.5, ...tdpo } }),
  };
  const { dpoBeta, aggregation, positionMean, normalizer, margin, nll, reference } = settings;
  if (!(dpoBeta > 0 && Number.isFinite(dpoBeta))) refuse("dpoBeta", dpoBeta, "a number above 0");
  oneOf("aggregation", aggregation, ["sequence", "position"]);
  oneOf("positionMean", positionMean, ["response", "padded"]);
  oneOf("normalizer", normalizer, ["none", "count", "weights"]);
  oneOf("reference", reference, ["cached", "none"]);
  for (const { sides } of settings.weights) oneOf("sides", sides ?? "both", ["chosen", "rejected", "both"]);
  if (!Number.isFinite(margin)) refuse("margin", margin, "a finite number");
  if (!(nll >= 0 && Number.isFinite(nll))) refuse("nll", nll, "a number, 0 or more");
  if (aggregation === "position") {
    if (normalizer !== "none") refuse("normalizer", normalizer, "none when aggregation is position");
    if (margin !== 0) refuse("margin", margin, "0 when aggregation is position");
    if (tdpo) refuse("tdpo", "on", "off when aggregation is position");
  } else if (positionMean === "padded") refuse("positionMean", positionMean, "response when aggregation is sequence");
  if (settings.tdpo) {
    const { version, alpha } = settings.tdpo;
    oneOf("tdpo.version", version, [1, 2]);
    if (!(alpha >= 0 && Number.isFinite(alpha))) refuse("tdpo.alpha", alpha, "a number, 0 or more");
    if (reference === "none") refuse("reference", reference, "cached beside tdpo");
  }
  return settings;
}
