import { type Html, html } from "./html.ts";
import { type Curve, curvesPlot, type PlotOptions } from "./plots.ts";
import type { ArmRun } from "./run.ts";
import { seriesOf, smoothingWindow } from "./series.ts";

/** A number of the logs as one curve per arm, the first in the main arm's style. */
export function curvesOf(arms: readonly ArmRun[], y: string, x?: string): Curve[] {
  return arms.map((arm, style) => ({ label: arm.name, style, points: seriesOf(arm.metrics, y, x) }));
}

/** A number of the evaluations, likewise. */
export function evaluationCurves(arms: readonly ArmRun[], y: string): Curve[] {
  return arms.map(({ name, evaluations }, style) => ({ label: name, style, points: seriesOf(evaluations, y) }));
}

/** What the arms' models give the held-out rows, at every evaluation. */
export function heldOutFigures(arms: readonly ArmRun[], unit: string): (Html | undefined)[] {
  const options = { x: unit, dots: true };
  return [
    figure(
      evaluationCurves(arms, "loss"),
      { description: `Held-out loss against ${unit}s`, y: "nats per token", ...options },
      `Loss on held-out rows; ${unit} 0 is before training.`,
    ),
    figure(
      evaluationCurves(arms, "referenceProbability"),
      {
        description: `Probability of the held-out references against ${unit}s`,
        y: "probability, %",
        share: true,
        ...options,
      },
      "Probability of the whole reference response, as a mean over held-out rows.",
    ),
  ];
}

/** Curves with a caption; undefined if there is nothing to draw. */
export function figure(curves: readonly Curve[], options: PlotOptions, caption: string): Html | undefined {
  return captioned(curvesPlot(curves, options), caption);
}

export function captioned(plot: Html | undefined, caption: string): Html | undefined {
  return (
    plot &&
    html`<figure>
      ${plot}
      <figcaption>${caption}</figcaption>
    </figure> `
  );
}

/** Figures under a title and a sentence on how to read them; undefined if there is none. */
export function curveSection(title: string, lead: string, figures: readonly (Html | undefined)[]): Html | undefined {
  if (figures.every((drawn) => drawn === undefined)) return undefined;
  return html`<section>
    <h2>${title}</h2>
    <p>${lead}</p>
    <div class="figures">${figures}</div>
  </section>`;
}

/** Says whether curves are smoothed. */
export function smoothingSentence({ metrics }: Pick<ArmRun, "metrics">, unit = "step"): string {
  const window = smoothingWindow(metrics.length);
  return window > 1
    ? `Curves are means over ${window} ${unit}s around each; the faint ones behind are the ${unit}s themselves.`
    : `Curves show every ${unit} as it is.`;
}
