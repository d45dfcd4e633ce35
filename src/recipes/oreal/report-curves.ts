import {
  captioned,
  curveSection,
  curvesOf,
  evaluationCurves,
  figure,
  heldOutFigures,
  smoothingSentence,
} from "../../report/figures.ts";
import type { Html } from "../../report/html.ts";
import type { ArmRun, Run } from "../../report/run.ts";
import { groupOf } from "../../report/header.ts";
import { seriesOf } from "../../report/series.ts";
import { stackedPlot } from "../../report/stacked-plot.ts";

const x = "iteration";

/** How often answers were right, in training and on held-out problems. */
export function accuracySection({ main, arms }: Run): Html | undefined {
  const all = [main, ...arms];
  const shares = { x, y: "% of answers", share: true };
  return curveSection("Right answers", `Heavy and solid is ${main.name}. ${smoothingSentence(main, x)}`, [
    figure(
      curvesOf(all, "passRate"),
      { description: "Share of right answers among those drawn in each iteration", ...shares },
      "Of the answers drawn to training questions, before the iteration's update. Questions change from one iteration to the next.",
    ),
    figure(
      evaluationCurves(all, "exactMatch"),
      { description: "Share of right likeliest answers to held-out problems", ...shares, dots: true },
      "Likeliest answers to held-out problems; 0 is before training.",
    ),
    figure(
      evaluationCurves(all, "passAt1"),
      { description: "Share of right sampled answers to held-out problems", ...shares, dots: true },
      "Sampled answers to held-out problems.",
    ),
    figure(
      curvesOf(all, "entropy"),
      { description: "Mean entropy of the policy over learnt tokens", x, y: "nats" },
      "Entropy of the policy, mean over the tokens that are learnt from. Towards 0 the model draws one answer again and again.",
    ),
  ]);
}

const verdicts = [
  { key: "correct", label: "right", style: 0 },
  { key: "wrong", label: "wrong", style: 1 },
  { key: "unparsable", label: "no answer found", style: 2 },
  { key: "timeout", label: "timed out", style: 3 },
] as const;
const mostArms = 8;

/** What the verifier said of each iteration's answers, arm by arm, and the main arm's questions by their answers. */
export function rewardSection({ main, arms, config }: Run): Html | undefined {
  const all = [main, ...arms].slice(0, mostArms);
  const left = arms.length + 1 - all.length;
  return curveSection(
    "Rewards",
    `An answer's reward follows from the verifier's word, right or not. Where all answers to a question are right, or all wrong, there is nothing to tell apart; such a question is left out unless objective.keep is none.${left > 0 ? ` ${left} arms are left out.` : ""}`,
    [
      figure(
        curvesOf([main, ...arms], "reward"),
        { description: "Mean reward of the answers of each iteration", x, y: "reward" },
        "Mean reward of the answers, where it is a sum of several; of different sums it cannot be compared.",
      ),
      ...all.flatMap((arm) => [
        captioned(
          stackedPlot(
            verdicts.map(({ key, ...part }) => ({ ...part, points: seriesOf(arm.metrics, key) })),
            { description: `Verdicts on the answers of each iteration of ${arm.name}`, x },
          ),
          `${arm.name}: what the verifier said of the answers.`,
        ),
        ...(arm === main ? [questionsFigure(arm, groupOf(config, "objective")["keep"] === "none")] : []),
      ]),
    ],
  );
}

/** @param all whether questions of one kind count as kept, too */
function questionsFigure({ name, metrics }: ArmRun, all: boolean): Html | undefined {
  const parts = [
    { key: "questionsAllRight", label: "all right", style: 0 },
    { key: "questionsKept", label: "some right", style: 4 },
    { key: "questionsAllWrong", label: "all wrong", style: 1 },
  ];
  const counts = parts.map(({ key }) => seriesOf(metrics, key));
  const [right, , wrong] = counts;
  if (all) counts[1] = counts[1]!.map(({ x, y }, i) => ({ x, y: y - (right![i]?.y ?? 0) - (wrong![i]?.y ?? 0) }));
  const totals = new Map<number, number>();
  for (const { x, y } of counts.flat()) totals.set(x, (totals.get(x) ?? 0) + y);
  const shares = parts.map((part, p) => ({
    ...part,
    points: counts[p]!.map(({ x, y }) => ({ x, y: totals.get(x)! > 0 ? y / totals.get(x)! : 0 })),
  }));
  return captioned(
    stackedPlot(shares, { description: `Questions of each iteration of ${name} by their answers`, x }),
    `${name}: the questions by their answers.`,
  );
}

/** The terms of the objective. */
export function lossSection({ main, arms }: Run): Html | undefined {
  const all = [main, ...arms];
  const y = "loss";
  return curveSection(
    "Loss",
    `Losses of different objectives cannot be compared, those on held-out rows can; a lower loss need not mean better answers. ${smoothingSentence(main, x)}`,
    [
      figure(
        [
          { label: "right answers", style: 0, points: seriesOf(main.metrics, "lossPositive") },
          { label: "wrong answers", style: 1, points: seriesOf(main.metrics, "lossNegative") },
          { label: "stay near", style: 2, points: seriesOf(main.metrics, "lossKl") },
        ],
        { description: `The three terms of the loss of ${main.name}`, x, y },
        `The three terms of ${main.name}: learn right answers, unlearn wrong ones, stay near the reference.`,
      ),
      figure(
        curvesOf(all, "loss"),
        { description: "The loss of each arm against iterations", x, y },
        "What each arm optimises. It is 0 while a reward model alone learns.",
      ),
      figure(
        curvesOf(all, "kl"),
        { description: "Divergence from the reference against iterations", x, y: "nats" },
        "Estimated divergence from the reference, after the iteration's last update; 0 where the objective does not look at it.",
      ),
      ...heldOutFigures(all, x),
    ],
  );
}

/** How the reward model learns and what it gives; undefined if no arm has one. */
export function weightSection({ main, arms }: Run): Html | undefined {
  const all = [main, ...arms];
  const learned = all.filter(({ metrics }) => seriesOf(metrics, "rewardLoss").length > 0);
  if (learned.length === 0) return undefined;
  const curves = (y: string) => curvesOf(all, y).filter((_, arm) => learned.includes(all[arm]!));
  return curveSection(
    "Token weights",
    `A reward model learns from the same answers which tokens decide, and its scores become token weights. ${smoothingSentence(learned[0]!, x)}`,
    [
      figure(
        curves("rewardAccuracy"),
        { description: "Accuracy of the reward model", x, y: "% of answers", share: true },
        "Answers that the reward model puts on the right side, before it learns from them. Compare with the share of wrong answers above: saying “wrong” always comes to that.",
      ),
      figure(
        curves("rewardLoss"),
        { description: "Loss of the reward model", x, y: "nats" },
        "Loss of the reward model; log 2 = 0.693 is a coin's.",
      ),
      figure(
        curves("weightMeanRight"),
        { description: "Mean token weight of right answers", x, y: "weight" },
        "Mean token weight of the right answers.",
      ),
      figure(
        curves("weightMeanWrong"),
        { description: "Mean token weight of wrong answers", x, y: "weight" },
        "The same of the wrong answers. Answers whose weights are near 0 are not learnt from.",
      ),
    ],
  );
}
