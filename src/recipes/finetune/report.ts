import type { Html } from "../../report/html.ts";
import { html } from "../../report/html.ts";
import { pageOf, type ReportOptions, writePage } from "../../report/page.ts";
import { type Run, readRun } from "../../report/read-run.ts";
import { lossSection, relSection, sharesSection } from "./report-curves.ts";
import { explorerOf, type Explorer } from "../../report/explorer/explorer.ts";
import { headOf, warningsOf } from "../../report/header.ts";
import { noiseSection, resultsSection } from "./report-results.ts";
import { picturesOf } from "../../report/tokens.ts";

/**
 * Writes `report.html` into the folder of a fine-tuning run and gives its path.
 * @throws UserError if the folder holds no run or a file of it is broken
 */
export function writeReport(folder: string, options: ReportOptions = {}): string {
  return writePage(folder, renderReport(readRun(folder), options));
}

/** A fine-tuning run as one HTML page. The same run gives the same page. */
export function renderReport(run: Run, { command }: ReportOptions = {}): string {
  const explorer = explorerOf(run, mostTokens);
  return pageOf({
    ...{ run, ...headOf(run), command },
    warnings: warningsOf(run),
    sections: [
      resultsSection(run),
      ...[lossSection(run), sharesSection(run), relSection(run), noiseSection(run), tokensSection(run, explorer)],
    ],
    scripts: explorer === undefined ? [] : [explorer.hash],
    files: "config.yaml, metrics.jsonl, evaluation.jsonl, timing.jsonl, tokens.json, summary.json",
  });
}

const mostTokens = 500;

function tokensSection({ tokens, main }: Run, explorer: Explorer | undefined): Html | undefined {
  if (tokens === undefined || tokens.rows.length === 0) return undefined;
  const { legend, drawn, leftOut, has } = picturesOf(
    tokens.rows.map((row) => ({ row })),
    { mostTokens, numbered: explorer !== undefined },
  );
  const when = Number.isFinite(tokens.step) ? ` after step ${tokens.step}` : "";
  return html`<section>
    <h2>Tokens</h2>
    <p>
      Training rows as ${main.name} weighs them under the model${when}. Underscored tokens train, tokens struck through
      are dropped, grey ones are the
      prompt.${has.scores ? " The bluer a token, the higher its score ranks within its response." : ""} Point at a token
      for its numbers.${leftOut > 0 ? ` ${leftOut} rows are left out.` : ""}
    </p>
    ${explorer?.controls} ${legend} ${drawn} ${explorer?.script}
  </section>`;
}
