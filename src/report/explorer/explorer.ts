import { createHash } from "node:crypto";
import { isRecord } from "../../system/is-record.ts";
import { type Html, html, trusted } from "../html.ts";
import type { Run } from "../run.ts";
import { type JsonObject, numberOf, numbersOf } from "../run-files.ts";
import { explorerScript } from "./script.min.ts";
import { type ExploredRow, type Options, rulesFor } from "./weigh.ts";

/** What makes pictures of rows answer to a person. */
export interface Explorer {
  /** Before the pictures. */
  readonly controls: Html;
  /** Behind them: data and script. */
  readonly script: Html;
  /** The script's hash, for the page's Content-Security-Policy. */
  readonly hash: string;
}

/** A run whose rows can be weighed in its page. */
export interface ExplorableRun {
  readonly run: Run;
  readonly explorer: Explorer;
}

/** Tokens shown of a pictured row. */
export const mostTokens = 500;

const signalNames = [
  "nll",
  "historyNll",
  "referenceNll",
  "promptAttention",
  "entropy",
  "entropyTop20",
  "concentration",
];

/**
 * The explorer of a run's pictured rows; undefined where the file holds no signals, where the run's rule is the user's own
 * or reads what the file does not hold, and where the configuration wants a page without scripts.
 * @param options those of the run's rule
 */
export function explorerOf({ config, tokens, main }: Run, options: Options): Explorer | undefined {
  if (tokens?.context === undefined || isStatic(config["report"])) return undefined;
  const rows = tokens.facts.map(exploredRow);
  if (rows.length !== tokens.rows.length || rows.some((row) => row === undefined)) return undefined;
  const explored = rows as ExploredRow[];
  const rule = main.method;
  if (!rulesFor(explored).some(({ name }) => name === rule)) return undefined;
  const { context } = tokens;
  const data = {
    ...{ rule, options, context, picture: { mostTokens } },
    rows: tokens.rows.map((row, i) => ({ ...row, ...explored[i]! })),
  };
  const json = JSON.stringify(data, rounded).replaceAll("<", "\\u003c");
  return {
    controls: html`<div
        id="explorer"
        class="explorer"
        role="group"
        aria-label="Weigh these rows by another rule"
        hidden
      ></div>
      <p id="explorer-summary" role="status" hidden></p>
      <p id="explorer-token" class="token" hidden>Point at a token, or move through a row with the arrow keys.</p>`,
    // not by a template, which may lay it out anew: the hash is that of what stands between the tags
    script: trusted(
      `<script type="application/json" id="explorer-data">${json}</script>\n<script>${explorerScript}</script>`,
    ),
    hash: `'sha256-${createHash("sha256").update(explorerScript).digest("base64")}'`,
  };
}

const isStatic = (report: unknown): boolean => (isRecord(report) ? report["page"] : report) === "static";

/** A float32 needs nine digits. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(9)) : value;
}

function exploredRow(row: JsonObject): ExploredRow | undefined {
  const signals = row["signals"];
  const [response, endOfTurn] = [numbersOf(row["response"]), numbersOf(row["endOfTurn"])];
  if (!isRecord(signals) || response === undefined || endOfTurn?.length !== response.length) return undefined;
  const found = signalNames.flatMap((name) => {
    const values = numbersOf(signals[name]);
    if (values?.length !== response.length || values.some((x, t) => response[t] === 1 && !Number.isFinite(x)))
      return [];
    return [[name, values.map((x) => (Number.isFinite(x) ? x : null))] as const];
  });
  return { rowId: numberOf(row["rowId"]), response, endOfTurn, signals: Object.fromEntries(found) };
}
