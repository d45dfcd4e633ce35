import { pageOf, type ReportOptions, writePage } from "../../report/page.ts";
import type { Run } from "../../report/run.ts";
import { lossSection, relSection, sharesSection } from "./report-curves.ts";
import { chosenText } from "../../report/chosen-rows.ts";
import { tokensSection } from "../../report/explorer/tokens-section.ts";
import { warningsOf } from "../../report/header.ts";
import { headOf } from "./report-head.ts";
import { readFinetuneRun } from "./report-run.ts";
import { noiseSection, resultsSection } from "./report-results.ts";

/**
 * Writes `report.html` into the folder of a fine-tuning run and gives its path.
 * @throws UserError if the folder holds no run or a file of it is broken
 */
export function writeReport(folder: string, options: ReportOptions = {}): string {
  return writePage(folder, renderReport(folder, options));
}

/** A fine-tuning run as one HTML page. The same run gives the same page. */
export function renderReport(folder: string, { command }: ReportOptions = {}): string {
  const { run, explorer } = readFinetuneRun(folder);
  return pageOf({
    ...{ run, ...headOf(run), command },
    warnings: warningsOf(run),
    sections: [
      resultsSection(run),
      ...[lossSection(run), sharesSection(run), relSection(run), noiseSection(run)],
      tokensSection(run, explorer, whose(run)),
    ],
    scripts: explorer === undefined ? [] : [explorer.hash],
    files: "config.yaml, metrics.jsonl, evaluation.jsonl, timing.jsonl, tokens.json, summary.json",
  });
}

/** Whose rows are pictured, as a sentence. */
function whose({ tokens, main }: Run): string {
  const when = Number.isFinite(tokens?.step) ? ` after step ${tokens!.step}` : "";
  const chosen = chosenText(tokens?.chosen, {
    all: (count) => `the first ${count} rows that are trained`,
    loss: "loss per response token",
  });
  return `Training rows as ${main.name} weighs them under the model${when}.${chosen === undefined ? "" : ` ${chosen}`}`;
}
