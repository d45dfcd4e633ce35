import { UserError } from "../../../system/errors.ts";
import type { YarnScaling } from "../rope.ts";
import { factorLimits, type Pairs, type RopeKind } from "./kind.ts";
import { originalLength } from "./original-length.ts";
import { powers } from "./powers.ts";

const { fround } = Math;
const betaLimits = { min: 0, max: 1e6 };

/**
 * YaRN (arXiv 2309.00071): pairs that turn more than `betaFast` times over the original context keep their frequency,
 * those that turn less than `betaSlow` times are divided by `factor`, and a ramp over the pairs blends between the two;
 * cosines and sines are multiplied by `attentionFactor`.
 */
export const yarn: RopeKind<YarnScaling> = {
  frequencies(scaling, pairs) {
    const [from, to] = rampOf(scaling, pairs);
    return powers(pairs).map((power, pair) => {
      const ramp = fround(fround(pair - fround(from)) / fround(to - from));
      const kept = fround(1 - Math.min(Math.max(ramp, 0), 1));
      const slowed = fround(1 / fround(fround(scaling.factor) * power));
      return fround(slowed * fround(1 - kept)) + fround(fround(1 / power) * kept);
    });
  },
  attentionFactor: (scaling) => scaling.attentionFactor,
  parse(record, facts) {
    const { where, theta, maxPositions, perLayerType } = facts;
    const refuse = (what: string): never => {
      throw new UserError("invalid-model-config", what, { where });
    };
    if (theta <= 1) refuse(`yarn needs a rope_theta above 1, not ${theta}`);
    const originalMaxPositions = originalLength(record, facts);
    const byLength = record.has("factor") ? { fallback: maxPositions / originalMaxPositions } : {}; // where it is null
    const factor = record.number("factor", { ...factorLimits, ...byLength });
    const betaFast = record.number("beta_fast", { ...betaLimits, fallback: 32 }) || 32; // 0 is the default, too
    const betaSlow = record.number("beta_slow", { ...betaLimits, fallback: 1 }) || 1;
    if (betaFast < betaSlow) refuse(`beta_fast is ${betaFast}, less than beta_slow, which is ${betaSlow}`);
    const scale = (key: string): number => record.number(key, { min: 0, max: 1e3, fallback: 0 });
    const derived = yarnAttentionFactor(factor, scale("mscale"), scale("mscale_all_dim"));
    const attentionFactor = record.number("attention_factor", { min: 1e-6, max: 1e6, fallback: derived });
    const truncate = record.boolean("truncate", true);
    if (!truncate && perLayerType) refuse("truncate has no effect in transformers where layer types differ");
    const scaling = { type: "yarn", factor, originalMaxPositions, betaFast, betaSlow, attentionFactor } as const;
    return truncate ? scaling : { ...scaling, truncate };
  },
  write: (scaling) => ({
    factor: scaling.factor,
    original_max_position_embeddings: scaling.originalMaxPositions,
    beta_fast: scaling.betaFast,
    beta_slow: scaling.betaSlow,
    ...(scaling.attentionFactor === yarnAttentionFactor(scaling.factor)
      ? {}
      : { attention_factor: scaling.attentionFactor }),
    ...(scaling.truncate === false ? { truncate: false } : {}),
  }),
};

/** The attention factor of a file that names none; `scale` and `allDimensions` are DeepSeek's `mscale` and `mscale_all_dim`. */
export function yarnAttentionFactor(factor: number, scale = 0, allDimensions = 0): number {
  const raised = (by: number): number => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  return scale !== 0 && allDimensions !== 0 ? raised(scale) / raised(allDimensions) : raised(1);
}

/** The pairs between which the ramp rises: from none of the division by `factor` to all of it. */
function rampOf(scaling: YarnScaling, { theta, rotated }: Pairs): [from: number, to: number] {
  const { betaFast, betaSlow, originalMaxPositions, truncate = true } = scaling;
  const pairThatTurns = (times: number): number =>
    (rotated * Math.log(originalMaxPositions / (times * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [pairThatTurns(betaFast), pairThatTurns(betaSlow)];
  const from = Math.max(truncate ? Math.floor(first) : first, 0);
  const to = Math.min(truncate ? Math.ceil(last) : last, rotated - 1);
  return [from, from === to ? to + 0.001 : to];
}
