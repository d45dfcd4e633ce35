import { join } from "node:path";
import { writeFileAtomically } from "../data/atomic.ts";
import { writing } from "../system/disk-error.ts";
import { answersSection } from "./answers.ts";
import { courseSection } from "./course.ts";
import { documentOf } from "./document.ts";
import { type Html, html } from "./html.ts";
import type { Run } from "./run.ts";
import type { Head } from "./header.ts";
import { ownSection } from "./own-section.ts";
import { labelOf } from "./run-files.ts";
import { terminalText } from "../system/visible-text.ts";

/** What every recipe's report is given beside the run's folder. */
export interface ReportOptions {
  /** The command that made the run, as it was typed. */
  readonly command?: string | undefined;
}

/** The parts of a report; those that are undefined are left out. Its last sections are how training went, and the configuration. */
export interface Page extends Head, ReportOptions {
  readonly run: Run;
  /** What the logs count. Default `step`. */
  readonly unit?: "step" | "iteration";
  readonly warnings: Html | undefined;
  /** Answers to held-out problems; default those of the main arm's evaluations. */
  readonly answers?: Html | undefined;
  /** The first are the results, which the answers follow. */
  readonly sections: readonly (Html | undefined)[];
  /** Hashes of the scripts in the sections. */
  readonly scripts?: readonly string[];
  /** Files of the run's folder that the page was made from. */
  readonly files: string;
}

/** A run's page. */
export function pageOf(page: Page): string {
  const { run, unit = "step", title, finding, facts, command, warnings, sections, scripts = [], files } = page;
  const answers = page.answers ?? answersSection(run);
  const [results, ...others] = sections;
  const own = ownSection(run, unit);
  const all = [results, answers, own, ...others, courseSection(run, unit), configSection(run)];
  const main = all.map((section) => html`${section} `);
  const footer = `Written by tokensift from the files of the run's folder: ${files}.`;
  return documentOf({ title, finding, facts }, { command, warnings, main, footer, scripts });
}

/** Writes a page as a run folder's `report.html` and gives its path. */
export function writePage(folder: string, page: string): string {
  const path = join(folder, "report.html");
  writing(path, () => writeFileAtomically(path, page));
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
