import { rampStep } from "../../report/colors.ts";
import { curveSection, curvesOf, evaluationCurves, figure, smoothingSentence } from "../../report/figures.ts";
import { formatShare } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { groupOf } from "../../report/header.ts";
import type { ArmRun, Run } from "../../report/run.ts";
import { numbersOf, runLines } from "../../report/run-files.ts";
import { seriesOf } from "../../report/series.ts";

const x = "step";
const y = "nats per token";

/** What model and gates lose, in training and on held-out rows. */
export function lossSection(run: Run): Html | undefined {
  const { main, arms } = run;
  if (foreseesAttention(run)) return futureSection(run);
  const all = [main, ...arms];
  const held = (label: string, style: number, arm: ArmRun, key: string) => ({
    ...{ label, style },
    points: seriesOf(arm.evaluations, key),
  });
  const learnt = objectiveOf(run) === "distill" ? distilled(main) : responses(all);
  return curveSection("Loss", `Lower is better. Heavy and solid are the gates. ${smoothingSentence(main)}`, [
    learnt,
    figure(
      [
        held("gates, as used", 0, main, "hardLoss"),
        held("gates, soft", 3, main, "softLoss"),
        held("nothing evicted", 4, main, "loss"),
        ...arms.map((arm, i) => held(arm.name, i + 1, arm, "loss")),
      ],
      { description: "Loss on held-out rows against steps", x, y, dots: true },
      "On held-out rows: under the gates' decisions, under their probabilities, and with nothing evicted. The first two far apart mean gates that cannot make up their mind.",
    ),
    figure(
      [{ label: "", style: 0, points: seriesOf(main.metrics, "evictionLoss") }],
      { description: "Eviction loss against steps", x, y: "loss" },
      "Eviction loss: how far the share kept is from its target, times alpha.",
    ),
  ]);
}

function responses(arms: readonly ArmRun[]): Html | undefined {
  return figure(
    curvesOf(arms, "nll"),
    { description: "Training loss of the response tokens against steps", x, y },
    "Loss of the response tokens in training: with gates under what they evict, without them over everything.",
  );
}

function distilled({ metrics }: ArmRun): Html | undefined {
  return figure(
    [{ label: "", style: 0, points: seriesOf(metrics, "divergence") }],
    { description: "Divergence from the model without gates in training against steps", x, y },
    "In training: how far the model under what the gates evict is from the same model over everything.",
  );
}

function objectiveOf({ config }: Pick<Run, "config">): unknown {
  return groupOf(config, "gates")["objective"];
}

/** Whether the gates learnt what later tokens attend to. */
export function foreseesAttention(run: Pick<Run, "config">): boolean {
  return objectiveOf(run) === "future";
}

/** How well gates foresee attention. */
function futureSection({ main }: Run): Html | undefined {
  const nats = { x, y: "nats" };
  const alone = (points: ReturnType<typeof seriesOf>) => [{ label: "", style: 0, points }];
  return curveSection("Loss", `Lower is better. ${smoothingSentence(main)}`, [
    figure(
      alone(seriesOf(main.metrics, "divergence")),
      { description: "Divergence of the gates from their target in training against steps", ...nats },
      "In training: what the gates do not foresee yet. At 0 they know the target of every token.",
    ),
    figure(
      alone(seriesOf(main.evaluations, "divergence")),
      { description: "Divergence of the gates from their target on held-out rows against steps", ...nats, dots: true },
      "The same on held-out rows.",
    ),
  ]);
}

/** How much the gates keep. */
export function keptSection({ main }: Run): Html | undefined {
  const shares = { x, y: "% of what may go", share: true };
  const kept = evaluationCurves([main], "evicted").map((curve) => ({
    ...{ label: "", style: 0 },
    points: curve.points.map((point) => ({ x: point.x, y: 1 - point.y })),
  }));
  return curveSection(
    "Kept entries",
    `Of the entries that may be evicted: the first tokens, the last ones and generated ones always stay. ${smoothingSentence(main)}`,
    [
      figure(
        [
          { label: "kept", style: 0, points: seriesOf(main.metrics, "keepShare") },
          { label: "mean probability", style: 4, points: seriesOf(main.metrics, "keepProbability") },
          { label: "target", style: 2, points: seriesOf(main.metrics, "target") },
        ],
        { description: "Share kept, mean gate probability and target against steps", ...shares },
        "In training: the share kept, the gates' mean probability, and the target that the eviction loss pulls to.",
      ),
      figure(kept, { description: "Share kept on held-out rows", ...shares, dots: true }, "Kept of held-out rows."),
    ],
  );
}

const mostLayers = 128;
const mostHeads = 64;

/** The share that each layer's heads keep, at the last evaluation; undefined if none tells. */
export function headsSection({ path, main }: Run): Html | undefined {
  const line = runLines(path, "evaluation.jsonl").findLast((each) => Array.isArray(each["evictedByHead"]));
  const layers = ((line?.["evictedByHead"] ?? []) as unknown[])
    .map((heads) => numbersOf(heads)?.slice(0, mostHeads))
    .filter((heads) => heads !== undefined)
    .slice(0, mostLayers);
  const width = Math.max(0, ...layers.map((heads) => heads.length));
  if (width === 0) return undefined;
  const cell = (evicted: number | undefined) => {
    const kept = evicted === undefined ? NaN : 1 - evicted;
    return Number.isFinite(kept)
      ? html`<td><span class="s s${rampStep(kept)}">${formatShare(kept)}</span></td>`
      : html`<td>–</td>`;
  };
  return html`<section>
    <h2>Layers and heads</h2>
    <p>
      Share kept by each layer and key-value head on held-out rows after step ${String(line!["step"])}, of the entries
      that may be evicted, ${main.name} deciding. The bluer, the more is kept.
    </p>
    <div class="scroll" tabindex="0" role="group" aria-label="Table">
      <table class="heat tokens">
        <thead>
          <tr>
            <th scope="col"></th>
            ${Array.from({ length: width }, (_, head) => html`<th scope="col" class="n">head ${head + 1}</th> `)}
          </tr>
        </thead>
        <tbody>
          ${layers.map(
            (heads, layer) =>
              html`<tr>
                <th scope="row">layer ${layer + 1}</th>
                ${Array.from({ length: width }, (_, head) => cell(heads[head]))}
              </tr> `,
          )}
        </tbody>
      </table>
    </div>
  </section>`;
}
