/**
 * How well a score tells two classes apart: the probability that a positive scores higher than a negative, ties counting
 * half. 0.5 is chance, 0 is the wrong way round. Null without a positive or without a negative.
 */
export function areaUnderCurve(scores: ArrayLike<number>, positive: ArrayLike<number>): number | null {
  const sorted = Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  return areaOfSorted(sorted, scores, positive, () => 1);
}

/**
 * The same of entries that count several times, in the order of their scores, lowest first: as a bootstrap draws them.
 * @param timesOf how often an entry counts
 */
export function areaOfSorted(
  sorted: ArrayLike<number>,
  scores: ArrayLike<number>,
  positive: ArrayLike<number>,
  timesOf: (entry: number) => number,
): number | null {
  let [below, positives, won] = [0, 0, 0];
  for (let i = 0; i < sorted.length;) {
    let [tiedNegatives, tiedPositives] = [0, 0];
    const score = scores[sorted[i]!]!;
    for (; i < sorted.length && scores[sorted[i]!] === score; i++) {
      const entry = sorted[i]!;
      if (positive[entry]) tiedPositives += timesOf(entry);
      else tiedNegatives += timesOf(entry);
    }
    won += tiedPositives * (below + tiedNegatives / 2);
    below += tiedNegatives;
    positives += tiedPositives;
  }
  return positives === 0 || below === 0 ? null : won / (positives * below);
}
