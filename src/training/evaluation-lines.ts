/** What an evaluation measures: everything that the configuration asks for, or losses without answers. */
export type EvaluationPart = "all" | "losses";

interface Line {
  readonly step?: unknown;
}

/**
 * Of the lines of an evaluation log the last of each step, by the order of steps: what was measured by its losses on the way
 * may be measured whole at the end, where it turns out to be the model that is saved.
 */
export function lastOfEachStep<L extends Line>(lines: readonly L[]): L[] {
  return [...new Map(lines.map((line) => [line.step, line])).values()];
}
