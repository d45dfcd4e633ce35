import type { PairedComparison } from "../evaluation/paired-bootstrap.ts";

/** A rule's held-out loss less that of each control, over the same rows. */
export interface AgainstControls {
  readonly name: string;
  readonly full: PairedComparison;
  readonly random: PairedComparison;
}

/** What a trial says of a rule: it helps, does harm, or neither can be told. */
export type Effect = "helps" | "harms" | "unclear";

export interface Verdict {
  readonly effects: readonly { readonly name: string; readonly effect: Effect }[];
  /** The rule that helps most; absent where none does. */
  readonly recommended?: string;
}

/**
 * A rule helps where the intervals of its loss against `full` and against `random` both lie below 0, and does harm
 * where that against `full` lies above 0. Of those that help, the one with the lowest loss is recommended.
 */
export function verdictOf(candidates: readonly AgainstControls[]): Verdict {
  const effects = candidates.map(({ name, full, random }) => ({ name, effect: effectOf(full, random) }));
  const [best] = candidates
    .filter((_, i) => effects[i]!.effect === "helps")
    .toSorted((a, b) => a.full.difference - b.full.difference);
  return { effects, ...(best && { recommended: best.name }) };
}

function effectOf(full: PairedComparison, random: PairedComparison): Effect {
  if (full.high < 0 && random.high < 0) return "helps";
  return full.low > 0 ? "harms" : "unclear";
}
