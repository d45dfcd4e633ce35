import { UserError } from "../../../system/errors.ts";
import type { DynamicScaling } from "../rope.ts";
import { factorLimits, type RopeKind } from "./kind.ts";
import { plainFrequencies } from "./powers.ts";

const { fround } = Math;

/**
 * NTK-aware scaling that follows the text: beyond the original context of L tokens the base of a text of n tokens is
 * `theta (factor n / L - (factor - 1))^(d / (d - 2))`, d = dimensions turned; the slowest pair is then slowed by that
 * factor and the fastest not at all. Source: github.com/jquesnelle/yarn, and transformers' order of operations.
 */
export const dynamic: RopeKind<DynamicScaling> = {
  frequencies(scaling, { theta, rotated }, text) {
    const { factor, originalMaxPositions: original } = scaling;
    if (text <= original) return plainFrequencies({ theta, rotated });
    const stretched = fround(fround(fround(factor) * text) / original);
    const exponent = rotated / (rotated - 2); // in double precision, as PyTorch keeps it
    const growth = fround(fround(stretched - fround(factor - 1)) ** exponent);
    return plainFrequencies({ theta: fround(theta) * growth, rotated });
  },
  standardLength: ({ originalMaxPositions }, text) => Math.max(text, originalMaxPositions),
  parse(record, { rotated, maxPositions, where }) {
    if (rotated < 4) {
      const what = `dynamic scaling has no base for heads that turn ${rotated} dimensions`;
      throw new UserError("invalid-model-config", what, { where, fix: "It needs 4 or more." });
    }
    return { type: "dynamic", factor: record.number("factor", factorLimits), originalMaxPositions: maxPositions };
  },
  write: ({ factor }) => ({ factor }), // the original length is max_position_embeddings
};
