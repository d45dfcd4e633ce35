import { pairedDifference } from "../../report/compare-arms.ts";
import { type Difference, differencesTable, intervalSentence, oneSeed, points } from "../../report/differences.ts";
import { formatNumber } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { labelOf, numberOf, numbersOf, ownNumbersOf, runObject } from "../../report/run-files.ts";
import { resultHtml } from "../kit/results.ts";
import type { CacheResult } from "./answers.ts";
import { gateResults } from "./results.ts";
import { isRecord } from "../../system/is-record.ts";

/** Answers to held-out prompts over one kind of cache. Numbers are NaN where the file has none. */
export type CacheAnswers = Required<CacheResult>;

const mostCaches = 100;

/** The caches of `results.json`; none without the file. */
export function cachesOf(folder: string): CacheAnswers[] {
  const caches = runObject(folder, "results.json")?.["rows"];
  const numbers = [
    ...(["rows", "keep", "accuracy", "referenceProbability", "samples", "passAt1", "passAt1Error"] as const),
    ...(["evicted", "kept", "bytes", "tokensPerSecond", "keptKey", "keptOthers"] as const),
    ...(["stoppedAt", "savedStep"] as const),
  ];
  return (Array.isArray(caches) ? (caches as unknown[]) : [])
    .filter(isRecord)
    .slice(0, mostCaches)
    .map((cache) => ({
      ...{ model: labelOf(cache["model"]) ?? "", cache: labelOf(cache["cache"]) ?? "" },
      ...(Object.fromEntries(numbers.map((key) => [key, numberOf(cache[key])])) as Record<
        (typeof numbers)[number],
        number
      >),
      ...ownNumbersOf(cache),
      rowCorrect: numbersOf(cache["rowCorrect"]) ?? [],
      rowPassRate: numbersOf(cache["rowPassRate"]) ?? [],
    }));
}

const mostNotes = 4;
const longestNote = 1000; // characters

/** The sentences of `results.json` that stand below the table. */
export function notesOf(folder: string): string[] {
  const notes = runObject(folder, "results.json")?.["notes"];
  const texts = (Array.isArray(notes) ? (notes as unknown[]) : []).map((note) => labelOf(note, longestNote));
  return texts.filter((text) => text !== undefined).slice(0, mostNotes);
}

/**
 * What every cache keeps and how the answers over it are; the gates' own against each other one.
 * @param notes sentences below the table
 */
export function resultsSection(caches: readonly CacheAnswers[], notes: readonly string[]): Html {
  if (caches.length === 0)
    return html`<section>
      <h2>Results</h2>
      <p>
        This run has no answers to compare: they need <code>data.validation</code> with prompts, and the run to have
        come to its end.
      </p>
    </section>`;
  const hasKey = caches.some(({ keptKey }) => Number.isFinite(keptKey));
  const planned = caches.some(({ keep }) => Number.isFinite(keep));
  return html`<section>
    <h2>Results</h2>
    <p>
      Greedy answers to ${formatNumber(caches[0]!.rows)} held-out prompts over caches that really drop what is evicted;
      full drops nothing.
      ${
        planned
          ? "The number behind a cache's name is the share of a prompt that it was told to keep."
          : "The other caches keep as many entries as the gates, where the gates evict at all."
      }
      Kept is the share of all of a prompt's entries, evicted that of those that may go; bytes are those of its keys and
      values, on average. Tokens a second, prompts not counted, are those of this machine at the
      time.${hasKey ? " Key tokens stand in sentences that the data mark as those that matter; how many of them a cache keeps does not tell how well it answers." : ""}
    </p>
    ${resultHtml(gateResults, caches)} ${notes.map((note) => html`<p>${note}</p>`)} ${differences(caches)}
  </section>`;
}

function differences(caches: readonly CacheAnswers[]): Html | undefined {
  const isOwn = ({ model, cache }: CacheAnswers): boolean => model === "gates" && cache !== "full";
  const hasSampled = caches.some(({ passAt1 }) => Number.isFinite(passAt1));
  const rows = caches
    .filter(isOwn)
    .flatMap((own) =>
      caches
        .filter((other) => !isOwn(other) && (Number.isNaN(other.keep) || other.keep === own.keep))
        .map((other) => differenceOf(own, other, hasSampled)),
    );
  if (rows.length === 0) return undefined;
  return html`<h3>The gates' cache minus each other one</h3>
    <p>
      On the same prompts, in points of a hundred; above 0 speaks for the gates. ${intervalSentence}. What is small
      behind a cache's name is the model that answers: the gates' own, or one without gates.
    </p>
    ${differencesTable(
      [
        { head: "Right answers, points", text: points },
        ...(hasSampled ? [{ head: "Sampled, points", text: points }] : []),
      ],
      rows,
    )}
    ${oneSeed}`;
}

function differenceOf(own: CacheAnswers, other: CacheAnswers, hasSampled: boolean): Difference {
  const compared = (key: "rowCorrect" | "rowPassRate") => pairedDifference(numbered(own[key]), numbered(other[key]));
  const name = html`${own.cache} − ${other.cache} <small>${other.model}</small>`;
  const found = compared("rowCorrect");
  if (found === undefined) return { name, absent: "the answers to single prompts are not known" };
  const sampled = hasSampled ? [compared("rowPassRate")?.result] : [];
  return { name, cells: [found.result, ...sampled], rows: found.rows };
}

const numbered = (values: readonly number[]) => ({ rowIds: [...values.keys()], values });
