import { basename, join } from "node:path";
import { methodLabel } from "../../config/method-choice.ts";
import { type AnsweringModel, methodsOf, modelsOf, resultsSection, rowsOf } from "./report-results.ts";
import {
  curveSection,
  curvesOf,
  evaluationCurves,
  figure,
  heldOutFigures,
  smoothingSentence,
} from "../../report/figures.ts";
import { formatFixed, formatNumber, formatShare } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { beforeAndAfter, storedAnswersSection } from "../../report/answers.ts";
import { pageOf, type ReportOptions, writePage } from "../../report/page.ts";
import { readArm } from "../../report/read-arm.ts";
import { comparedArms, readRun } from "../../report/read-run.ts";
import type { Run, RunLayout } from "../../report/run.ts";
import {
  endFacts,
  type Fact,
  groupOf,
  namesOf,
  optionsOf,
  plain,
  rateOf,
  startFacts,
  warningsOf,
} from "../../report/header.ts";
import { mostPictured } from "../../config/report-group.ts";
import { chosenText, lossBehind } from "../../report/chosen-rows.ts";
import { picturesOf } from "../../report/tokens.ts";
import { type JsonObject, numberOf, runObject, textOf } from "../../report/run-files.ts";
import { seriesOf } from "../../report/series.ts";
import { tableHtml } from "../../report/table.ts";
import type { TokenWords } from "../../report/token-picture.ts";
import { isRecord } from "../../system/is-record.ts";

/** Every arm lies in a subfolder, the main one too. */
const layout: RunLayout = {
  main(config) {
    const align = groupOf(config, "align");
    const named = basename(
      textOf(align["name"]) ?? methodLabel(textOf(groupOf(align, "objective")["method"]) ?? "cdpo"),
    );
    const folder = /^[A-Za-z0-9]/.test(named) ? named : "cdpo"; // never the folder above, whatever the file says
    return { name: folder, folder };
  },
  others: (config) => comparedArms(config).map(({ name }) => ({ name })),
};

/**
 * Writes `report.html` into the folder of a cDPO run and gives its path.
 * @throws UserError if the folder holds no run or a file of it is broken
 */
export function writeCdpoReport(folder: string, options: ReportOptions = {}): string {
  return writePage(folder, renderCdpoReport(folder, options));
}

/** A cDPO run as one HTML page. */
export function renderCdpoReport(folder: string, { command }: ReportOptions = {}): string {
  const run = readRun(folder, layout);
  const results = runObject(run.path, "results.json") ?? {};
  const rows = rowsOf(results);
  const title = `${run.main.name} on ${namesOf(groupOf(run.config, "data")["train"]) ?? "pairs of answers"}`;
  return pageOf({
    ...{ run, title, finding: findingOf(run, modelsOf(rows)), facts: factsOf(run, results), command },
    warnings: warningsOf(run),
    answers: storedAnswersSection(run, {
      lead: `The likeliest answers of the model before its alignment and after that of ${run.main.name},`,
      ...beforeAndAfter,
    }),
    sections: [
      resultsSection(run, rows),
      ...[heldOutSection(run), alignmentSection(run), contrastSection(run, results), tokensSection(run)],
    ],
    files:
      "config.yaml, results.json, answers.json, tokens.json, and of each arm metrics.jsonl, evaluation.jsonl, timing.jsonl, summary.json",
  });
}

function findingOf({ main }: Run, models: readonly AnsweringModel[]): string {
  const [base, aligned] = ["base", main.name].map((name) => models.find((model) => model.name === name));
  if (!base || !aligned) return `${main.name} has no held-out results yet.`;
  if (Number.isFinite(aligned.preferred))
    return `Aligned with ${main.name}, the model prefers the chosen answer in ${formatShare(aligned.preferred, 1)} of ${formatNumber(aligned.rows)} held-out pairs, by what both have gained since the start.`;
  const sampled = Number.isFinite(aligned.sampled)
    ? `, and ${formatShare(aligned.sampled, 1)} of its sampled ones (${formatShare(base.sampled, 1)})`
    : "";
  return `Aligned with ${main.name}, the model's likeliest answers to ${formatNumber(aligned.rows)} held-out problems are right in ${formatShare(aligned.greedy, 1)} of cases (${formatShare(base.greedy, 1)} before)${sampled}.`;
}

function factsOf(run: Run, results: JsonObject): Fact[] {
  const { main, config } = run;
  const [align, sampling, contrast] = ["align", "sampling", "contrast"].map((key) => groupOf(config, key));
  const training = groupOf(align!, "training");
  const steps = main.metrics.at(-1)?.step;
  const pairs = numberOf(results["pairs"]);
  return [
    ["Recipe", "cdpo"],
    ["Objective", [methodsOf(run).get(main.name), ...optionsOf(groupOf(align!, "objective"))].join(", ")],
    ...startFacts(run),
    ["Answers drawn", plain(sampling!["samples"]) && `${plain(sampling!["samples"])} to each question`],
    ["Contrast (beta)", plain(contrast!["contrast"])],
    ["Pairs", Number.isFinite(pairs) ? formatNumber(pairs) : undefined],
    ["Seed", plain(groupOf(config, "training")["seed"])],
    [
      "Steps of alignment",
      steps === undefined ? undefined : `${formatNumber(steps)}, batch of ${plain(training["batchSize"]) ?? "?"} pairs`,
    ],
    ["Learning rate", rateOf(training)],
    ...endFacts(run).map(([name, value]): Fact => [name === "Time" ? "Time of alignment" : name, value]),
  ];
}

/** How held-out rows went, where `align.training.evaluateEvery` had them measured; undefined otherwise. */
function heldOutSection({ main, arms }: Run): Html | undefined {
  const all = [main, ...arms];
  const shares = { x: "step", y: "%", share: true, dots: true };
  const curves = (key: string, description: string, caption: string) =>
    figure(evaluationCurves(all, key), { description: `${description} against steps`, ...shares }, caption);
  return curveSection("Held-out rows", `Heavy and solid is ${main.name}.`, [
    ...heldOutFigures(all, "step"),
    curves("exactMatch", "Share of right likeliest answers", "Right likeliest answers."),
    curves("passAt1", "Share of right sampled answers", "Right sampled answers."),
    curves("preferred", "Share of pairs whose chosen answer is preferred", "Pairs whose chosen answer is preferred."),
  ]);
}

function alignmentSection({ main, arms }: Run): Html | undefined {
  const all = [main, ...arms];
  const own = (label: string, style: number, key: string) => ({ label, style, points: seriesOf(main.metrics, key) });
  const x = "step";
  return curveSection("Alignment", `Numbers of the training pairs. ${smoothingSentence(main)}`, [
    figure(
      curvesOf(all, "loss"),
      { description: "Training loss of each arm against steps", x, y: "nats" },
      "What each arm optimises. A preference loss starts at log 2 = 0.693; losses of different objectives cannot be compared.",
    ),
    figure(
      curvesOf(all, "accuracy"),
      { description: "Share of pairs whose right answer has the higher reward", x, y: "% of pairs", share: true },
      "Pairs whose right answer has gained more than the wrong one since the start. At the first step there is no gain.",
    ),
    figure(
      curvesOf(all, "rewardMargin"),
      { description: "Reward margin of each arm against steps", x, y: "reward" },
      "Reward of the right answer minus that of the wrong one, before token weights. Reward is beta times the gain in log-probability.",
    ),
    figure(
      [own("right answers", 0, "chosenReward"), own("wrong answers", 1, "rejectedReward")],
      { description: `Rewards of right and of wrong answers under ${main.name}`, x, y: "reward" },
      `Both rewards of ${main.name}. If both fall, the model also unlearns the right answers.`,
    ),
    figure(
      curvesOf(all, "rejectedWeight"),
      { description: "Mean token weight of wrong answers against steps", x, y: "weight" },
      "Mean weight of the wrong answers' tokens. Where it is far below 1, wrong answers count less than in DPO.",
    ),
    figure(
      curvesOf(all, "rejectedPush"),
      { description: "How hard the token weights of wrong answers push, against steps", x, y: "push" },
      "Sum over a wrong answer of weight times one minus the token's probability: how hard the weights push. Weight on a token of which the model is certain does nothing.",
    ),
    figure(
      curvesOf(all, "klToReference"),
      { description: "Distance of each arm from the model before training, against steps", x, y: "nats per token" },
      "KL to the model before training, estimated on answers that the arm's model draws. Compare arms where it is equal, too.",
    ),
  ]);
}

function contrastSection(run: Run, results: JsonObject): Html | undefined {
  const models = (["positive", "negative"] as const).map((which) =>
    readArm(join(run.path, "stages", "contrast-models", which), {
      name: which === "positive" ? "learns right answers" : "learns wrong answers",
    }),
  );
  const sides = (["rejected", "chosen"] as const).flatMap((side) => {
    const about = results[side];
    if (!isRecord(about)) return [];
    const [mean, critical] = [numberOf(about["meanEstimate"]), numberOf(about["criticalShare"])];
    return [[side === "rejected" ? "wrong" : "right", formatFixed(mean, 3), formatShare(critical, 1)]];
  });
  const curves = figure(
    curvesOf(models, "loss"),
    { description: "Training loss of the two contrasted models", x: "step", y: "nats per token" },
    "Loss of the two contrasted models on the answers that each learns from.",
  );
  if (sides.length === 0 && curves === undefined) return undefined;
  const table =
    sides.length === 0
      ? undefined
      : tableHtml(
          [
            { head: "Answers" },
            { head: "Mean s", kind: "n to" },
            { head: "Critical tokens (s below ½)", kind: "n to" },
          ],
          sides,
        );
  return html`<section>
    <h2>Contrast</h2>
    <p>
      Two adapters learn right answers and the usual wrong ones. Of each token, s is its probability under their
      contrast (softmax of (1 + beta) times the one's logits minus beta times the other's). A token with a low s is
      called critical: the model of right answers would hardly write it, that of wrong ones rather would. (One that
      neither would write has a low s, too.) If wrong answers have hardly more such tokens than right ones, the contrast
      tells little about what made an answer wrong.
    </p>
    ${table}
    <div class="figures">${curves}</div>
  </section>`;
}

const words: TokenWords = {
  prompt: "prompt",
  kept: "answer",
  dropped: "left out",
  noise: "critical: s below ½",
  weight: false,
};

function tokensSection({ tokens }: Run): Html | undefined {
  if (tokens === undefined || tokens.rows.length === 0) return undefined;
  const rows = tokens.rows.map((row, i) => {
    const { side, finished } = tokens.facts[i]!;
    const critical = row.pieces.filter((_, t) => row.response[t] && row.noise?.[t]).length;
    const length = row.pieces.filter((_, t) => row.response[t]).length;
    const right = side === "chosen";
    const caption = `Question ${formatNumber(row.rowId)}, ${right ? "right" : "wrong"} answer${finished === false ? ", cut off" : ""}: ${critical} of ${length} tokens critical${lossBehind(tokens.facts[i]!)}`;
    return { row, caption, ...(right && { mostPrompt: 0 }) };
  });
  const chosen = chosenText(tokens.chosen, {
    all: (count) => `all ${count} pairs`,
    loss: "loss per token of the right answer under the starting model",
  });
  const { legend, drawn, leftOut } = picturesOf(rows, { mostRows: 2 * mostPictured, range: [0, 1], words });
  return html`<section>
    <h2>Critical tokens</h2>
    <p>
      ${chosen ?? "The first pairs of the run, not chosen for their looks."} The bluer a token, the more critical the
      contrast finds it: colours show 1 − s. Wrong answers are weighted by it in cDPO, right ones are shown for
      comparison. Point at a token for its number.${leftOut > 0 ? ` ${leftOut} answers are left out.` : ""}
    </p>
    ${legend} ${drawn}
  </section>`;
}
