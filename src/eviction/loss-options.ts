import { UserError } from "../system/errors.ts";
import { oneOf, refuse, wholeNumber } from "../system/refuse-option.ts";

/** `paper` as printed; `recommended` reaches its target and stops. No program was released. */
export type EvictionPreset = "paper" | "recommended";

export interface EvictionLossSettings {
  /** α, 0 or more. Default 1 (ours). */
  readonly alpha: number;
  /** β, share of evictable entries to keep, in [0, 1]. Default 0.5 (ours). */
  readonly target: number;
  readonly form: "linear" | "abs" | "square" | "hinge";
  /** Whose mean is compared with the target. */
  readonly scope: "layer" | "head" | "global";
  /** `pooled`: one mean over the evictable tokens of all rows; `each`: one per row, then averaged over rows. */
  readonly rows: "pooled" | "each";
  /** The target goes in a straight line from `from` at step 0 to `target` at `steps`. `steps` 0 = off. */
  readonly ramp: { readonly from: number; readonly steps: number };
}

/** Options of `evictionLoss`. */
export interface EvictionLossOptions extends Partial<Omit<EvictionLossSettings, "ramp">> {
  /** Default `recommended`. Options given beside it win. */
  readonly preset?: EvictionPreset;
  /** Default: off. `from`: default 1, nothing evicted. */
  readonly ramp?: { readonly from?: number; readonly steps: number };
}

const shared = { alpha: 1, target: 0.5, scope: "layer", ramp: { from: 1, steps: 0 } } as const;

/** Values of the options under each preset. */
export const evictionPresets = {
  paper: { ...shared, form: "linear", rows: "pooled" },
  recommended: { ...shared, form: "hinge", rows: "each" },
} as const satisfies Record<EvictionPreset, EvictionLossSettings>;

/** The options with their defaults. Throws a UserError that names the option at fault. */
export function resolveEvictionLoss({ preset = "recommended", ...options }: EvictionLossOptions): EvictionLossSettings {
  if (!Object.hasOwn(evictionPresets, preset)) {
    throw new UserError(
      "invalid-option",
      `preset must be one of ${Object.keys(evictionPresets).join(", ")}, not ${String(preset)}.`,
      {
        fix: "No program was released, so there is no preset for one.",
      },
    );
  }
  const base: EvictionLossSettings = evictionPresets[preset];
  const settings = { ...base, ...options, ramp: { ...base.ramp, ...options.ramp } };
  const { alpha, target, form, scope, rows, ramp } = settings;
  if (!(alpha >= 0 && Number.isFinite(alpha))) refuse("alpha", alpha, "a number, 0 or more");
  if (!(target >= 0 && target <= 1)) refuse("target", target, "from 0 to 1, the share to keep");
  oneOf("form", form, ["linear", "abs", "square", "hinge"]);
  oneOf("scope", scope, ["layer", "head", "global"]);
  oneOf("rows", rows, ["pooled", "each"]);
  if (!(ramp.from >= 0 && ramp.from <= 1)) refuse("ramp.from", ramp.from, "from 0 to 1");
  wholeNumber("ramp.steps", ramp.steps, 0);
  return settings;
}

/** β at a step. */
export function targetAt({ target, ramp }: EvictionLossSettings, step: number): number {
  const done = ramp.steps === 0 ? 1 : Math.min(1, Math.max(0, step) / ramp.steps);
  return done === 1 ? target : ramp.from + (target - ramp.from) * done;
}
