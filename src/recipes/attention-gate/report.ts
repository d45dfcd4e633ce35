import { formatNumber, formatShare } from "../../report/format.ts";
import { cachesOf, type CacheAnswers, notesOf, resultsSection } from "./report-results.ts";
import { foreseesAttention, headsSection, lossSection, keptSection } from "./report-curves.ts";
import { tokensSection } from "./report-tokens.ts";
import { storedAnswersSection } from "../../report/answers.ts";
import { pageOf, type ReportOptions, writePage } from "../../report/page.ts";
import { readRun } from "../../report/read-run.ts";
import type { Run, RunLayout } from "../../report/run.ts";
import {
  batchOf,
  endFacts,
  type Fact,
  groupOf,
  namesOf,
  plain,
  rateOf,
  startFacts,
  warningsOf,
} from "../../report/header.ts";

/** The gates are the main arm; the model trained without them is the control. */
const layout: RunLayout = {
  main: () => ({ name: "gates", method: "attention-gate" }),
  others: ({ compare }) => (Array.isArray(compare) && compare.includes("control") ? [{ name: "control" }] : []),
};

/**
 * Writes `report.html` into the folder of an Attention-Gate run and gives its path.
 * @throws UserError if the folder holds no run or a file of it is broken
 */
export function writeGateReport(folder: string, options: ReportOptions = {}): string {
  return writePage(folder, renderGateReport(folder, options));
}

/** An Attention-Gate run as one HTML page. */
export function renderGateReport(folder: string, { command }: ReportOptions = {}): string {
  const run = readRun(folder, layout);
  const caches = cachesOf(run.path);
  const title = `attention-gate on ${namesOf(groupOf(run.config, "data")["train"]) ?? "prompts"}`;
  return pageOf({
    ...{ run, title, finding: findingOf(run, caches), facts: factsOf(run), command },
    warnings: warningsOf(run),
    answers: storedAnswersSection(run, {
      lead: "The likeliest answers of the model with its gates, over all entries of a prompt and over those that the gates keep,",
      labels: ["All entries", "Those kept"],
      changed: ["right over those kept alone", "over all entries alone"],
    }),
    sections: [
      resultsSection(caches, notesOf(run.path)),
      ...[lossSection(run), keptSection(run), headsSection(run), tokensSection(run)],
    ],
    files:
      "config.yaml, results.json, answers.json, tokens.json, and of each arm metrics.jsonl, evaluation.jsonl, timing.jsonl, summary.json",
  });
}

function findingOf(run: Run, caches: readonly CacheAnswers[]): string {
  const { main } = run;
  const steps = main.metrics.at(-1)?.step ?? 0;
  const own = caches.find(({ model, cache }) => model === "gates" && cache !== "full");
  if (own === undefined) {
    const evicted = main.evaluations.at(-1)?.value("evicted");
    if (foreseesAttention(run))
      return `The gates learnt for ${formatNumber(steps)} ${steps === 1 ? "step" : "steps"} what later tokens attend to.`;
    const share =
      evicted === undefined || Number.isNaN(evicted) ? "" : `; they evict ${formatShare(evicted, 1)} of what they may`;
    return `The gates were trained for ${formatNumber(steps)} ${steps === 1 ? "step" : "steps"}${share}.`;
  }
  const control = caches.find(({ model, cache }) => model !== "gates" && cache === "full");
  const against = control ? `; without gates, over all entries, ${formatShare(control.accuracy, 1)} are` : "";
  return `The gates keep ${formatShare(own.kept, 1)} of a prompt's key-value cache. Over it ${formatShare(own.accuracy, 1)} of the answers to ${formatNumber(own.rows)} held-out prompts are right${against}.`;
}

function factsOf(run: Run): Fact[] {
  const { main, config } = run;
  const [gates, eviction, training] = ["gates", "eviction", "training"].map((key) => groupOf(config, key));
  const steps = main.metrics.at(-1)?.step;
  const batch = batchOf(config);
  const exempt = [plain(gates!["sinks"]), plain(gates!["window"])];
  const target = eviction!["target"];
  return [
    ["Recipe", "attention-gate"],
    ["Trained", config["mode"] === "pretrain" ? "gates alone" : "gates and model"],
    ["Gates", ["kind", "input", "scope"].flatMap((key) => plain(gates![key]) ?? []).join(", ") || undefined],
    ["Objective", plain(gates!["objective"])],
    ["Target", typeof target === "number" ? `keep ${formatShare(target)} of what may go` : undefined],
    ["Never evicted", exempt.every(Boolean) ? `first ${exempt[0]} tokens, last ${exempt[1]}` : undefined],
    ...startFacts(run),
    ["Steps", steps === undefined ? undefined : `${formatNumber(steps)}${batch ? `, batch of ${batch}` : ""}`],
    ["Learning rate", rateOf(training!)],
    ["Learning rate of gates", plain(gates!["learningRate"])],
    ["Seed", plain(training!["seed"])],
    ...endFacts(run),
  ];
}
