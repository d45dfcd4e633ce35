import type { Warning } from "../../training/divergence.ts";
import { divergenceWatch, explosionWatch, once, together, type Watch } from "../kit/watches.ts";
import { partingWatch } from "./parting.ts";

/** All that is watched for in a run. */
export function everyWatch(vocabularySize: number): (record: Parameters<Watch>[0]) => Warning[] {
  return together<Warning>([
    partingWatch(),
    divergenceWatch(vocabularySize, "lossAllTokens"),
    explosionWatch("lossAllTokens"),
    idleWatch(),
  ]);
}

/** Warns of a step that trained nothing. */
export function idleWatch(): Watch {
  return once(({ step, keptTokens }) =>
    keptTokens === 0
      ? `At step ${String(step)} the rule gave no token a weight: the model was left as it was, as in every such step.`
      : undefined,
  );
}
