/** The named members of the family: `weightedDpo` with its options set. Options given beside a form win. */
import type { WeightedDpoOptions, TdpoOptions } from "./options.ts";
import { refuse } from "./refuse.ts";
import { type PreferenceObjective, weightedDpo } from "./weighted-dpo.ts";
import {
  type CriticalTokenOptions,
  columnWeights,
  criticalTokens,
  lengthDesensitized,
  temporalDecay,
  unconfidentTokens,
} from "./weighting.ts";

/** What every form leaves open. */
export type FormOptions = Omit<WeightedDpoOptions, "weights" | "tdpo">;

/** Plain DPO (https://arxiv.org/abs/2305.18290): every weight is 1. */
export function dpo(options: FormOptions = {}): PreferenceObjective {
  return weightedDpo(options);
}

/** Iterative reasoning preference optimisation (https://arxiv.org/abs/2404.19733): DPO plus `nll` (default 1) on chosen. */
export function rpo(options: FormOptions = {}): PreferenceObjective {
  return weightedDpo({ nll: 1, ...options });
}

/** LD-DPO (https://arxiv.org/abs/2409.06411). `beyond`: its α, default 0.5 (ours). */
export function ldDpo({ beyond = 0.5, ...options }: FormOptions & { beyond?: number } = {}): PreferenceObjective {
  return weightedDpo({ ...options, weights: [{ by: lengthDesensitized(beyond) }] });
}

/** DPO with temporal decay (https://arxiv.org/abs/2502.14340). `decay`: γ of γ^t; default 0.98. */
export function temporalDecayDpo({
  decay = 0.98,
  ...options
}: FormOptions & { decay?: number } = {}): PreferenceObjective {
  return weightedDpo({ ...options, weights: [{ by: temporalDecay(decay) }] });
}

/** DPO with the token weights of `batch.weights` on `sides` (default `both`). */
export function columnDpo({
  sides = "both",
  ...options
}: FormOptions & { sides?: "chosen" | "rejected" | "both" } = {}): PreferenceObjective {
  return weightedDpo({ ...options, weights: [{ by: columnWeights, sides }] });
}

/** TDPO (https://arxiv.org/abs/2404.11999), version 2 unless told; reads `batch.forwardKl` and gives `dForwardKl`. */
export function tdpo({ version = 2, alpha = 0.5, ...options }: FormOptions & TdpoOptions = {}): PreferenceObjective {
  return weightedDpo({ ...options, tdpo: { version, alpha } });
}

/** ConfPO (https://arxiv.org/abs/2506.08712): reference-free mean over unconfident tokens, β 1.5, margin 1.6. */
export function confPo(options: FormOptions = {}): PreferenceObjective {
  return weightedDpo({
    dpoBeta: 1.5,
    margin: 1.6,
    normalizer: "weights",
    reference: "none",
    ...options,
    weights: [{ by: unconfidentTokens }],
  });
}

/** What the paper says, what its authors' program does, or what we advise (so far the paper's form). */
export type CriticalTokenPreset = "paper" | "released" | "recommended";

export interface CriticalTokenDpoOptions extends FormOptions, Omit<CriticalTokenOptions, "direction"> {
  /** Default `recommended`. Options given beside it win. */
  readonly preset?: CriticalTokenPreset;
  /** `rejected`: weights `1 - s` there, 1 on chosen; `both`: also `s` on chosen; `chosen`: that alone. Default `rejected`. */
  readonly sides?: "chosen" | "rejected" | "both";
}

const paper = { dpoBeta: 1, aggregation: "sequence", endOfTurn: "estimate" } as const;

/** Values of the options under each preset. */
export const criticalTokenPresets = {
  paper,
  released: { dpoBeta: 0.1, aggregation: "position", positionMean: "padded", endOfTurn: "one" },
  recommended: paper,
} as const satisfies Record<CriticalTokenPreset, CriticalTokenDpoOptions>;

/**
 * cDPO (https://arxiv.org/abs/2411.19943), DPO weighted by critical tokens; not "conservative DPO", which smooths labels.
 *
 *     loss = -log σ( β Σ_t ρ_t^chosen - β Σ_t (1 - s_t) ρ_t^rejected )
 *
 * Reads `batch.logEstimate` and `batch.reference`. `s_t` is a probability, so cDPO does not become DPO where the two
 * contrasted models agree: there the weight is one minus the token's probability.
 *
 * @throws UserError for impossible options
 */
export function criticalTokenDpo({
  preset = "recommended",
  ...options
}: CriticalTokenDpoOptions = {}): PreferenceObjective {
  if (!Object.hasOwn(criticalTokenPresets, preset))
    refuse("preset", preset, `one of ${Object.keys(criticalTokenPresets).join(", ")}`);
  const values: CriticalTokenDpoOptions = { ...criticalTokenPresets[preset] };
  const { sides = "rejected", threshold, keep, endOfTurn, ...rest } = { ...values, ...options };
  const critical = {
    ...(threshold !== undefined && { threshold }),
    ...(keep && { keep }),
    ...(endOfTurn && { endOfTurn }),
  };
  const onRejected = { by: criticalTokens({ ...critical, direction: "low" }), sides: "rejected" } as const;
  const onChosen = { by: criticalTokens({ ...critical, direction: "high" }), sides: "chosen" } as const;
  if (sides !== "chosen" && sides !== "rejected" && sides !== "both")
    refuse("sides", sides, "chosen, rejected or both");
  const weights = [...(sides === "chosen" ? [] : [onRejected]), ...(sides === "rejected" ? [] : [onChosen])];
  return weightedDpo({ ...rest, weights });
}
