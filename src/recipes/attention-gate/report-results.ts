import { pairedDifference } from "../../report/compare-arms.ts";
import { type Difference, differencesTable, intervalSentence, oneSeed, points } from "../../report/differences.ts";
import { formatFixed, formatNumber, formatShare } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { isObject, labelOf, numberOf, numbersOf, runObject } from "../../report/run-files.ts";
import { tableHtml } from "../../report/table.ts";

/** Answers to held-out prompts over one kind of cache. Numbers are NaN where the file has none. */
export interface CacheAnswers {
  readonly model: string;
  readonly cache: string;
  readonly rows: number;
  readonly accuracy: number;
  readonly evicted: number;
  readonly kept: number;
  readonly bytes: number;
  readonly tokensPerSecond: number;
  readonly keptKey: number;
  readonly keptOthers: number;
  /** In the prompts' order. */
  readonly rowCorrect: readonly number[];
}

const mostCaches = 40;

/** The caches of `results.json`; none without the file. */
export function cachesOf(folder: string): CacheAnswers[] {
  const caches = runObject(folder, "results.json")?.["caches"];
  const numbers = ["rows", "accuracy", "evicted", "kept", "bytes", "tokensPerSecond", "keptKey", "keptOthers"] as const;
  return (Array.isArray(caches) ? (caches as unknown[]) : [])
    .filter(isObject)
    .slice(0, mostCaches)
    .map((cache) => ({
      ...{ model: labelOf(cache["model"]) ?? "", cache: labelOf(cache["cache"]) ?? "" },
      ...(Object.fromEntries(numbers.map((key) => [key, numberOf(cache[key])])) as Record<
        (typeof numbers)[number],
        number
      >),
      rowCorrect: numbersOf(cache["rowCorrect"]) ?? [],
    }));
}

/** What every cache keeps and how the answers over it are; the gates' own against each other one. */
export function resultsSection(caches: readonly CacheAnswers[]): Html {
  if (caches.length === 0)
    return html`<section>
      <h2>Results</h2>
      <p>
        This run has no answers to compare: they need <code>data.validation</code> with prompts, and the run to have
        come to its end.
      </p>
    </section>`;
  const hasKey = caches.some(({ keptKey }) => Number.isFinite(keptKey));
  const table = tableHtml(
    [
      { head: "Model" },
      { head: "Cache" },
      { head: "Right answers", kind: "n to" },
      { head: "Kept", kind: "n" },
      { head: "Evicted", kind: "n" },
      { head: "Bytes", kind: "n" },
      { head: "of full cache" },
      { head: "Tokens/s", kind: "n from" },
      ...(hasKey
        ? [
            { head: "Key kept", kind: "n" as const },
            { head: "Others kept", kind: "n" as const },
          ]
        : []),
    ],
    caches.map((each) => [
      ...[each.model, each.cache],
      ...[formatShare(each.accuracy, 1), formatShare(each.kept, 1), formatShare(each.evicted, 1)],
      ...[formatNumber(Math.round(each.bytes)), bar(each.kept), formatFixed(each.tokensPerSecond, 0)],
      ...(hasKey ? [formatShare(each.keptKey, 1), formatShare(each.keptOthers, 1)] : []),
    ]),
    "arms",
  );
  return html`<section>
    <h2>Results</h2>
    <p>
      Greedy answers to ${formatNumber(caches[0]!.rows)} held-out prompts over caches that really drop what is evicted;
      full drops nothing. The other caches keep as many entries as the gates, where the gates evict at all. Kept is the
      share of all of a prompt's entries, evicted that of those that may go; bytes are those of its keys and values, on
      average. Tokens a second, prompts not counted, are those of this machine at the
      time.${hasKey ? " Key tokens stand in sentences that the data mark as those that matter; gates that know them keep more of them than of the others." : ""}
    </p>
    ${table} ${differences(caches)}
  </section>`;
}

/** A share as a line within a frame. */
function bar(share: number): Html {
  const width = Number.isFinite(share) ? Math.max(0, Math.min(1, share)) * 98 : 0;
  return html`<svg class="bar" width="100" height="12" viewBox="0 0 100 12" aria-hidden="true">
    <rect x=".5" y="1.5" width="99" height="9" fill="none" stroke="currentColor" stroke-opacity=".3" />
    <rect x="1" y="2" width="${width.toFixed(1)}" height="8" fill="var(--arm-0)" />
  </svg>`;
}

function differences(caches: readonly CacheAnswers[]): Html | undefined {
  const [own, ...others] = caches;
  if (own?.cache !== "gates" || others.length === 0) return undefined;
  const numbered = ({ rowCorrect }: CacheAnswers) => ({ rowIds: [...rowCorrect.keys()], values: rowCorrect });
  const rows = others.map((other): Difference => {
    const name = html`gates − ${other.cache} <small>${other.model}</small>`;
    const found = pairedDifference(numbered(own), numbered(other));
    if (found === undefined) return { name, absent: "the answers to single prompts are not known" };
    return { name, cells: [found.result], rows: found.rows };
  });
  return html`<h3>The gates' cache minus each other one</h3>
    <p>
      On the same prompts, in points of a hundred; above 0 speaks for the gates. ${intervalSentence}. What is behind a
      cache's name is the model that answers: the gates' own, or one trained the same without gates.
    </p>
    ${differencesTable([{ head: "Right answers, points", text: points }], rows)} ${oneSeed}`;
}
