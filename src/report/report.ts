import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "../data/atomic.ts";
import { writing } from "../training/disk-error.ts";
import { type Html, html, trusted } from "./html.ts";
import { type Run, readRun } from "./read-run.ts";
import { labelOf } from "./run-files.ts";
import { lossSection, relSection, sharesSection } from "./report-curves.ts";
import { headerOf, titleOf, warningsOf } from "./report-header.ts";
import { noiseSection, resultsSection } from "./report-results.ts";
import { reportStyle } from "./report-style.ts";
import { tokenPicture } from "./token-picture.ts";
import { tokenLegendHtml, tokenPictureHtml, tokenPictureStyle } from "./token-picture-html.ts";
import { terminalText } from "./visible-text.ts";

/**
 * Writes `report.html` into a run folder and gives its path.
 * @throws UserError if the folder holds no run or a file of it is broken
 */
export function writeReport(folder: string): string {
  const page = renderReport(readRun(folder));
  const path = join(folder, "report.html");
  writing(path, () => writeAtomically(path, (file) => writeFileSync(file, page)));
  return path;
}

/** A run as one HTML page that asks for no other file. The same run gives the same page. */
export function renderReport(run: Run): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta
          http-equiv="Content-Security-Policy"
          content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"
        />
        <link rel="icon" href="data:," />
        <title>${titleOf(run)}</title>
        <style>
          ${trusted(reportStyle)}${trusted(tokenPictureStyle)}
        </style>
      </head>
      <body>
        ${headerOf(run)} ${warningsOf(run)}
        <main>
          ${resultsSection(run)} ${lossSection(run)} ${sharesSection(run)} ${relSection(run)} ${noiseSection(run)}
          ${tokensSection(run)} ${configSection(run)}
        </main>
        <footer>
          Written by tokensift from the files of the run's folder: config.yaml, metrics.jsonl, evaluation.jsonl,
          timing.jsonl, tokens.json, summary.json.
        </footer>
      </body>
    </html> `.markup;
}

const mostRows = 10;
const mostMarkup = 700_000;

function tokensSection({ tokens, main }: Run): Html | undefined {
  if (tokens === undefined || tokens.rows.length === 0) return undefined;
  const pictures = tokens.rows
    .slice(0, mostRows)
    .map((row) => tokenPicture(row, { mostTokens: 500, longestPiece: 40 }));
  let room = mostMarkup;
  const drawn = pictures.map(tokenPictureHtml).filter(({ markup }) => (room -= markup.length) >= 0);
  const leftOut = tokens.rows.length - drawn.length;
  const has = {
    scores: pictures.some((picture) => picture.tokens.some(({ place }) => place !== undefined)),
    noise: pictures.some(({ noise }) => noise !== undefined && noise.tokens > 0),
  };
  const when = Number.isFinite(tokens.step) ? ` after step ${tokens.step}` : "";
  return html`<section>
    <h2>Tokens</h2>
    <p>
      Training rows as ${main.name} weighs them under the model${when}. Underscored tokens train, tokens struck through
      are dropped, grey ones are the
      prompt.${has.scores ? " The bluer a token, the higher its score ranks within its response." : ""} Point at a token
      for its numbers.${leftOut > 0 ? ` ${leftOut} rows are left out.` : ""}
    </p>
    ${tokenLegendHtml(tokens.rows[0]!.scoreName, has)} ${drawn}
  </section>`;
}

function configSection({ configText, path }: Run): Html {
  if (configText === undefined)
    return html`<section>
      <h2>Configuration</h2>
      <p>The run's folder has no config.yaml.</p>
    </section>`;
  const text = terminalText(configText.slice(0, 60_000));
  return html`<section>
    <h2>Configuration</h2>
    <p>
      Everything the run was told, defaults included; the paths are those of the machine it ran on. The run's folder was
      <code>${labelOf(path, 1000)}</code>.
    </p>
    <details>
      <summary>config.yaml</summary>
      <pre>${text}${configText.length > 60_000 ? "\n…" : ""}</pre>
    </details>
  </section>`;
}
