import { basename } from "node:path";
import { curveSection, evaluationCurves, figure } from "./figures.ts";
import { groupOf } from "./header.ts";
import type { Html } from "./html.ts";
import type { Run } from "./run.ts";
import { labelOf, textOf } from "./run-files.ts";

/** How the numbers of the user's own metric went; undefined where an evaluation has none. */
export function ownSection({ main, arms, config }: Run, unit: string): Html | undefined {
  const all = [main, ...arms];
  const lists = all.flatMap(({ evaluations }) => evaluations.flatMap(({ ownMetrics }) => Object.keys(ownMetrics)));
  return curveSection(
    "Your metric",
    `Numbers that ${metricName(config)} makes of the held-out problems and the answers; ${unit} 0 is before training.`,
    [...new Set(lists)].map((name) =>
      figure(
        evaluationCurves(all, name),
        { description: `${name} against ${unit}s`, x: unit, y: name, dots: true },
        `${name}.`,
      ),
    ),
  );
}

function metricName(config: Run["config"]): string {
  const path = textOf(groupOf(config, "evaluation")["metric"]);
  return (path === undefined ? undefined : labelOf(basename(path))) ?? "the file of evaluation.metric";
}
