import { curveSection, curvesOf, figure } from "./figures.ts";
import type { Html } from "./html.ts";
import type { Curve } from "./plots.ts";
import type { Run } from "./run.ts";
import { seriesOf } from "./series.ts";

/** How the training itself went: learning rate, gradient, speed, memory. */
export function courseSection({ main, arms }: Run, unit: string): Html | undefined {
  const all = [main, ...arms];
  const x = unit;
  const timed = (y: string): Curve[] =>
    all.map(({ name, timing }, style) => ({ label: name, style, points: seriesOf(timing, y) }));
  const speed = ["tokensPerSecond", "sampledTokensPerSecond"]
    .map(timed)
    .find((curves) => curves.some(({ points }) => points.length > 0));
  return curveSection(
    "Course",
    "What the optimizer and the machine did. Arms run one after the other in one process, so the memory of a later one includes what earlier ones have left.",
    [
      figure(
        curvesOf(all, "learningRate"),
        { description: `Learning rate against ${unit}s`, x, y: "rate" },
        "Learning rate.",
      ),
      figure(
        curvesOf(all, "gradNorm"),
        { description: `Norm of the gradient against ${unit}s`, x, y: "norm" },
        "Norm of the gradient, before clipping.",
      ),
      figure(speed ?? [], { description: `Tokens per second against ${unit}s`, x, y: "tokens/s" }, "Speed."),
      figure(
        timed("memoryMB"),
        { description: `Memory against ${unit}s`, x, y: "MB" },
        "The most memory that the process has held so far.",
      ),
    ],
  );
}
