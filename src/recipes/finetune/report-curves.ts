import { curveSection, curvesOf, figure, heldOutFigures, smoothingSentence } from "../../report/figures.ts";
import type { Html } from "../../report/html.ts";
import type { Curve } from "../../report/plots.ts";
import type { Run } from "../../report/run.ts";
import { seriesOf } from "../../report/series.ts";

/** How losses went: in training against steps and trained tokens, and on held-out rows. */
export function lossSection({ main, arms }: Run): Html | undefined {
  const all = [main, ...arms];
  const y = "nats per token";
  return curveSection("Loss", `Lower is better. Heavy and solid is ${main.name}. ${smoothingSentence(main)}`, [
    figure(
      curvesOf(all, "lossAllTokens"),
      { description: "Training loss over all response tokens against steps", x: "step", y },
      "Training loss over all response tokens, kept or not, so that arms can be compared.",
    ),
    figure(
      curvesOf(all, "lossAllTokens", "trainedTokens"),
      { description: "Training loss against trained tokens", x: "trained tokens", y },
      "The same against the tokens trained so far: an arm that keeps fewer is shorter.",
    ),
    figure(
      curvesOf(all, "loss"),
      { description: "The optimised loss against steps", x: "step", y },
      "What each arm optimises: the weighted loss of what it keeps. Not comparable between arms.",
    ),
    ...heldOutFigures(all, "step"),
  ]);
}

/** Which share of response tokens trains, and which never has. */
export function sharesSection({ main, arms }: Run): Html | undefined {
  const all = [main, ...arms];
  const shared = { x: "step", y: "% of response tokens", share: true };
  return curveSection("Kept tokens", `How many response tokens train. ${smoothingSentence(main)}`, [
    figure(
      curvesOf(all, "keptShare"),
      { description: "Share of response tokens kept in each step", ...shared },
      "Kept in each step.",
    ),
    figure(
      curvesOf(all, "neverKeptShare"),
      { description: "Share of response tokens seen that were never kept", ...shared },
      "Never kept so far, of the tokens seen: what the model has not been trained on at all.",
    ),
  ]);
}

/** How far REL spreads; undefined for rules without it. */
export function relSection({ main }: Run): Html | undefined {
  const low = seriesOf(main.metrics, "relMin");
  const high = seriesOf(main.metrics, "relMax");
  const range = seriesOf(main.metrics, "relRange");
  const only = (label: string, points: Curve["points"]): Curve[] => [{ label, style: 0, points }];
  return curveSection(
    "REL",
    `Retrospective excess loss: the earlier state's loss minus the current one, per token. Its raw range within a response shows whether the ranking rests on more than rounding noise: near 0 the two states hardly differ yet. ${smoothingSentence(main)}`,
    [
      figure(
        only("", range),
        { description: "Mean range of REL within a response against steps", x: "step", y: "nats" },
        "Range (greatest minus least) within a response, mean over the responses of a step.",
      ),
      figure(
        [
          { label: "greatest", style: 0, points: high },
          { label: "least", style: 1, points: low },
        ],
        { description: "Least and greatest REL of each step", x: "step", y: "nats", band: { low, high } },
        "Greatest and least REL of each step.",
      ),
      figure(
        only(
          "",
          seriesOf(main.metrics, "attentionOnly").some(({ y }) => y > 0) ? seriesOf(main.metrics, "attentionOnly") : [],
        ),
        { description: "Share of rows ranked by attention alone", x: "step", y: "% of rows", share: true },
        "Rows ranked by attention alone.",
      ),
    ],
  );
}
