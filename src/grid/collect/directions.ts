/** What is better of a number: a larger one, a smaller one, or neither. */
export type Direction = "larger" | "smaller" | "neither";

const smaller = new Set(["loss", "lossAllTokens", "perplexity", "nll", "seconds", "bytes", "memoryMB", "kl"]);
const larger = new Set([
  ...["exactMatch", "greedy", "sampled", "passAt1", "accuracy", "referenceProbability", "tokensPerSecond"],
  ...["noise.recall", "noise.precision", "keptKey", "train.accuracy", "last.accuracy", "rewardMargin"],
]);

/** Which way a metric of a grid should go. Of what is a means, such as the kept share, neither way is better. */
export function directionOf(metric: string): Direction {
  const name = metric.replace(/@.*$/, "");
  const key = name.replace(/^(evaluation|train|last)\./, "");
  if (smaller.has(key)) return "smaller";
  return larger.has(name) || larger.has(key) ? "larger" : "neither";
}
