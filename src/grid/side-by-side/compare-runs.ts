import { nearest } from "../../config/nearest.ts";
import { UserError } from "../../system/errors.ts";
import { type Comparison, comparePairs } from "../collect/compare.ts";
import type { ArmOutcomes } from "../collect/read-cells.ts";
import { readRuns } from "./read-runs.ts";

/** Runs beside each other. */
export interface ComparedRuns {
  readonly arms: readonly ArmOutcomes[];
  readonly metrics: readonly string[];
  readonly comparisons: readonly Comparison[];
}

/** Metrics that are shown where nobody asks for others, as far as there are any. */
const usual = ["loss", "referenceProbability", "exactMatch", "passAt1", "greedy", "sampled", "preferred", "accuracy"];
const mostPairs = 6;

/**
 * Compares the arms of runs by what they have measured, paired by seed and by held-out problem.
 * @param options.metrics default the usual ones, and those of the user's own metric, that all arms have
 * @param options.against the arm that all others are compared with; default every two, or of many each with the first
 * @throws UserError for a name that no arm or metric has
 */
export function compareRuns(
  folders: readonly string[],
  { metrics, against }: { metrics?: readonly string[]; against?: string } = {},
): ComparedRuns {
  const arms = readRuns(folders);
  const all = arms.map(({ outcomes }) => outcomes.flatMap(({ measures }) => [...measures.keys()]));
  const known = [...new Set(all.flat())];
  const wrong = metrics?.find((metric) => !known.includes(metric));
  if (wrong !== undefined) throw unknown("metric", wrong, known);
  const own = arms.flatMap(({ outcomes }) =>
    outcomes.flatMap(({ measures }) => [...measures].flatMap(([name, { own }]) => (own ? [name] : []))),
  );
  const offered = [...usual, ...own].filter((metric) => all.every((each) => each.includes(metric)));
  const shown = [...new Set(metrics ?? offered)];
  const base = arms.find(({ arm }) => arm.name === against);
  if (against !== undefined && base === undefined)
    throw unknown(
      "arm",
      against,
      arms.map(({ arm }) => arm.name),
    );
  return { arms, metrics: shown, comparisons: comparePairs("runs", shown, pairsOf(arms, base)) };
}

function pairsOf(arms: readonly ArmOutcomes[], base: ArmOutcomes | undefined) {
  const every = arms.flatMap((row, i) => arms.slice(i + 1).map((other) => [row, other] as const));
  if (base === undefined && every.length <= mostPairs) return every;
  const first = base ?? arms[0]!;
  return arms.flatMap((row) => (row === first ? [] : [[row, first] as const]));
}

function unknown(kind: string, name: string, known: readonly string[]): UserError {
  const near = nearest(name, known);
  return new UserError("invalid-option", `no run has the ${kind} ${JSON.stringify(name)}`, {
    fix: near === undefined ? `There are ${known.slice(0, 30).join(", ")}.` : `Did you mean ${near}?`,
  });
}
