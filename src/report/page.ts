import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomically } from "../data/atomic.ts";
import { writing } from "../system/disk-error.ts";
import { type Html, html, trusted } from "./html.ts";
import type { Run } from "./read-run.ts";
import { headerHtml, type Head } from "./header.ts";
import { reportStyle } from "./style.ts";
import { labelOf } from "./run-files.ts";
import { tokenPictureStyle } from "./token-picture-html.ts";
import { terminalText } from "../system/visible-text.ts";

/** What every recipe's report is given beside the run's folder. */
export interface ReportOptions {
  /** The command that made the run, as it was typed. */
  readonly command?: string | undefined;
}

/** The parts of a report; those that are undefined are left out. The configuration is its last section. */
export interface Page extends Head, ReportOptions {
  readonly run: Run;
  readonly warnings: Html | undefined;
  readonly sections: readonly (Html | undefined)[];
  /** Files of the run's folder that the page was made from. */
  readonly files: string;
}

/** One HTML page that asks for no other file and runs nothing. */
export function pageOf({ run, title, finding, facts, command, warnings, sections, files }: Page): string {
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
        <title>${title}</title>
        <style>
          ${trusted(reportStyle)}${trusted(tokenPictureStyle)}
        </style>
      </head>
      <body>
        ${headerHtml({ title, finding, facts }, command)} ${warnings}
        <main>${[...sections, configSection(run)].map((section) => html`${section} `)}</main>
        <footer>Written by tokensift from the files of the run's folder: ${files}.</footer>
      </body>
    </html> `.markup;
}

/** Writes a page as a run folder's `report.html` and gives its path. */
export function writePage(folder: string, page: string): string {
  const path = join(folder, "report.html");
  writing(path, () => writeAtomically(path, (file) => writeFileSync(file, page)));
  return path;
}

/** The run's `config.yaml`, folded up. */
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
