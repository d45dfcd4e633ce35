import type { LinearScaling } from "../rope.ts";
import { factorLimits, type RopeKind } from "./kind.ts";
import { plainFrequencies } from "./powers.ts";

const { fround } = Math;

/** Position interpolation (arXiv 2306.15595): every frequency is divided by `factor`. */
export const linear: RopeKind<LinearScaling> = {
  frequencies: ({ factor }, pairs) => plainFrequencies(pairs).map((frequency) => frequency / fround(factor)),
  parse: (record) => ({ type: "linear", factor: record.number("factor", factorLimits) }),
  write: ({ factor }) => ({ factor }),
};
