import { join } from "node:path";
import { resultOf } from "../../report/compare-arms.ts";
import { formatNumber, formatShare } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { accuracySection, lossSection, rewardSection, weightSection } from "./report-curves.ts";
import { resultsSection } from "./report-results.ts";
import { pageOf, type ReportOptions, writePage } from "../../report/page.ts";
import { comparedArms, readRun } from "../../report/read-run.ts";
import { readTokens } from "../../report/read-tokens.ts";
import type { ArmRun, PicturedRows, Run, RunLayout } from "../../report/run.ts";
import { endFacts, type Fact, groupOf, namesOf, plain, rateOf, startFacts, warningsOf } from "../../report/header.ts";
import { mostPictured } from "../../config/report-group.ts";
import { lossBehind } from "../../report/chosen-rows.ts";
import { picturesOf } from "../../report/tokens.ts";
import { type JsonObject, labelOf, numberOf } from "../../report/run-files.ts";
import type { TokenWords } from "../../report/token-picture.ts";

const layout: RunLayout = {
  main: () => ({ name: "oreal", method: "oreal" }),
  others: (config) => comparedArms(config).map(({ name }) => ({ name, method: "oreal" })),
};

/**
 * Writes `report.html` into the folder of an OREAL run and gives its path.
 * @throws UserError if the folder holds no run or a file of it is broken
 */
export function writeOrealReport(folder: string, options: ReportOptions = {}): string {
  return writePage(folder, renderOrealReport(folder, options));
}

/** An OREAL run as one HTML page. */
export function renderOrealReport(folder: string, { command }: ReportOptions = {}): string {
  const run = readRun(folder, layout);
  const title = `oreal on ${namesOf(groupOf(run.config, "data")["train"]) ?? "questions"}`;
  const objectives = objectivesOf(run);
  return pageOf({
    ...{ run, title, finding: findingOf(run), facts: factsOf(run), command },
    unit: "iteration",
    warnings: warningsOf(run, "iteration"),
    sections: [
      resultsSection(run, objectives),
      ...[accuracySection(run), rewardSection(run), lossSection(run), weightSection(run), answersSection(run)],
    ],
    files: "config.yaml and of each arm metrics.jsonl, evaluation.jsonl, timing.jsonl, tokens.json, summary.json",
  });
}

/** The configured objective of each arm by its name. */
function objectivesOf({ config, main }: Run): Map<string, JsonObject> {
  const compared = comparedArms(config).map(({ name, entry }) => [name, groupOf(entry, "objective")] as const);
  return new Map([[main.name, groupOf(config, "objective")], ...compared]);
}

function findingOf({ main }: Run): string {
  const { before, after } = resultOf(main);
  const drawn = main.metrics.reduce((sum, { value }) => sum + (value("responses") || 0), 0);
  const steps = main.metrics.at(-1)?.step ?? 0;
  const what = `${formatNumber(steps)} ${steps === 1 ? "iteration" : "iterations"} over ${formatNumber(drawn)} answers`;
  if (!before || !after) return `${main.name} ran ${what}.`;
  const rates = [before, after].map(({ value }) => value("passAt1"));
  const sampled = rates.every(Number.isFinite)
    ? `, and of its sampled ones from ${formatShare(rates[0], 1)} to ${formatShare(rates[1], 1)}`
    : "";
  return `In ${what} the share of right answers to held-out problems went from ${formatShare(before.exactMatch, 1)} to ${formatShare(after.exactMatch, 1)} of the model's likeliest answers${sampled}.`;
}

function factsOf(run: Run): Fact[] {
  const { main, config } = run;
  const [objective, sampling, training, policy] = ["objective", "sampling", "training", "policy"].map((key) =>
    groupOf(config, key),
  );
  const [questions, samples] = [plain(sampling!["questionsPerStep"]), plain(sampling!["samples"])];
  const steps = main.metrics.at(-1)?.step;
  return [
    ["Recipe", "oreal"],
    ["Objective", plain(objective!["preset"])],
    ["Token weights", plain(groupOf(objective!, "weights")["source"])],
    ...startFacts(run),
    ["Iterations", steps === undefined ? undefined : formatNumber(steps)],
    ["Answers an iteration", questions && samples && `${samples} to each of ${questions} questions`],
    ["Learning rate", rateOf(policy!)],
    ["Seed", plain(training!["seed"])],
    ...endFacts(run),
  ];
}

/** Which answers are pictured, as the beginning of a sentence. */
function whoseAnswers(tokens: PicturedRows | undefined): string {
  if (tokens?.chosen === undefined)
    return "Answers of the last iteration that were learnt from: of its first such questions, one right and one wrong each,";
  if (tokens.chosen.rows === "listed")
    return "Answers to the questions that the configuration names, of the last iteration that learnt from each: one right and one wrong,";
  const end = tokens.chosen.rows === "worst" ? "highest" : "lowest";
  return `Of each arm's answers of the last iteration that were learnt from, those with the ${end} loss per token under the policy that drew them,`;
}

const words: TokenWords = { prompt: "prompt", kept: "answer", dropped: "weight 0", noise: "", weight: false };
const mostArms = 4;
const markupOfArm = 200_000;

function answersSection(run: Run): Html | undefined {
  const all = [
    { arm: run.main, tokens: run.tokens },
    ...run.arms.map((arm) => ({ arm, tokens: readTokens(join(run.path, arm.name)) })),
  ].filter((each): each is { arm: ArmRun; tokens: PicturedRows } => (each.tokens?.rows.length ?? 0) > 0);
  if (all.length === 0) return undefined;
  const weighted = ({ tokens }: { tokens: PicturedRows }) =>
    tokens.rows.some(({ score }) => score.some(Number.isFinite));
  const shown = [...all.slice(0, 1), ...all.slice(1).filter(weighted)].slice(0, mostArms);
  return html`<section>
    <h2>Answers and their token weights</h2>
    <p>
      ${whoseAnswers(run.tokens)} under the weights that each token's loss was multiplied by. Of the arms without token
      weights only the main one is shown. Point at a token for its number.
    </p>
    ${shown.map(({ arm, tokens }) => answersOf(arm, tokens))}
  </section>`;
}

function answersOf({ name }: ArmRun, { rows, facts, step }: PicturedRows): Html {
  const weights = rows.flatMap(({ score }) => score.filter((weight): weight is number => Number.isFinite(weight)));
  const most = weights.reduce((high, weight) => Math.max(high, weight), 0);
  const { legend, drawn, has } = picturesOf(
    rows.map((row, i) => {
      const again = row.rowId === rows[i - 1]?.rowId; // its prompt has just been shown
      return { row, caption: captionOf(row.rowId, facts[i]!), ...(again && { mostPrompt: 0 }) };
    }),
    { mostRows: 2 * mostPictured, mostTokens: 400, mostMarkup: markupOfArm, words, range: [0, most || 1] },
  );
  const when = Number.isFinite(step) ? `, iteration ${step}` : "";
  return html`<h3>${name}${when}</h3>
    <p>
      ${has.scores ? "The bluer a token, the larger its weight." : "Every token of an answer weighs the same here."}
    </p>
    ${legend} ${drawn}`;
}

function captionOf(rowId: number, facts: JsonObject): string {
  const verdict = labelOf(facts["verdict"], 20) ?? "not judged";
  const numbers = ["reward", "advantage"].map((key) => `${key} ${formatNumber(numberOf(facts[key]), 3)}`);
  const iteration = Number.isFinite(numberOf(facts["iteration"]))
    ? ` of iteration ${numberOf(facts["iteration"])}`
    : "";
  return `Question ${formatNumber(rowId)}${iteration}, ${verdict}: ${numbers.join(", ")}${lossBehind(facts)}`;
}
