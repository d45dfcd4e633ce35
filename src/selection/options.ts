import type { Preset } from "../contract/index.ts";
import { refusing } from "../system/refuse-option.ts";

/** The values of a rule's preset. Throws a UserError for a name that is none. */
export function valuesOf<Presets extends Readonly<Record<Preset, object>>>(
  rule: string,
  presets: Presets,
  preset: Preset,
): Presets[Preset] {
  requireOption(rule, "preset", preset, Object.hasOwn(presets, preset), Object.keys(presets).join(", "));
  return presets[preset];
}

/** Throws a UserError that names rule and option unless the value `fits`. */
export function requireOption(rule: string, option: string, value: unknown, fits: boolean, wanted: string): void {
  if (!fits) refusing(rule)(option, value, wanted);
}
