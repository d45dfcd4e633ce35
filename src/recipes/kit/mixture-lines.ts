import { epochShares } from "../../data/sampling.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { formatNumber } from "../../report/format.ts";
import { shownPath } from "./card.ts";

/** A dry run's lines on a mixture with weights: how often each data set's rows come. */
export function mixtureLines({ sampling, length }: Pick<TokenizedDataset, "sampling" | "length">): string[] {
  if (sampling === undefined) return [];
  const { names, starts } = sampling;
  return epochShares(sampling).map((share, i) => {
    const rows = starts[i + 1]! - starts[i]!;
    const often = (share / rows).toPrecision(3);
    return `Mixture: ${formatNumber(share)} of an epoch's ${formatNumber(length)} rows from ${shownPath(names[i]!)} (${formatNumber(rows)} rows, each ${often} times an epoch)`;
  });
}
