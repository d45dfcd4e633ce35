import { differenceIn, resultOf } from "../../report/compare-arms.ts";
import { type Difference, differencesTable, intervalSentence, oneSeed, points } from "../../report/differences.ts";
import { formatNumber } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import type { ArmRun, Run } from "../../report/run.ts";
import type { JsonObject } from "../../report/run-files.ts";
import { resultHtml } from "../kit/results.ts";
import { orealResults, resultRow, startRow, weightSource } from "./results.ts";

/** Answers to held-out problems: every arm before and after, and the main arm against each other one. */
export function resultsSection({ main, arms }: Run, objectives: ReadonlyMap<string, JsonObject>): Html {
  const all = [main, ...arms];
  const results = all.map(resultOf);
  if (results.every(({ before, after }) => !before && !after))
    return html`<section>
      <h2>Results</h2>
      <p>
        This run has no evaluation. Give <code>data.validation</code> to have held-out problems answered before and
        after training.
      </p>
    </section>`;
  const rows = Math.max(...results.map(({ before, after }) => (after ?? before)?.rowIds.length ?? 0));
  const table = [startRow(main), ...all.map((arm) => resultRow(arm, objectives.get(arm.name) ?? {}))];
  return html`<section>
    <h2>Results</h2>
    <p>
      Share of right answers to ${rows > 0 ? formatNumber(rows) : "the"} held-out problems before the first iteration
      (start) and after each arm's last: of each problem's likeliest answer (greedy), and of answers drawn at random
      (sampled). The probability of the reference is that of the whole response that the data give, as a mean over
      problems.
    </p>
    ${resultHtml(orealResults, table)} ${differences(all, objectives)}
  </section>`;
}

function differences(all: readonly ArmRun[], objectives: ReadonlyMap<string, JsonObject>): Html {
  const [main, ...others] = all as [ArmRun, ...ArmRun[]];
  if (others.length === 0) return html`<p>There is no arm to compare with: name some under <code>compare</code>.</p>`;
  const of = (source: string) => all.find(({ name }) => weightSource(objectives.get(name)) === source);
  const [learned, shuffled] = [of("learned"), of("shuffled")];
  const hasProbability = all.some((arm) => (resultOf(arm).after?.rowProbability.length ?? 0) > 0);
  const pairs = others.map((other) => [main, other] as const);
  if (learned && shuffled && learned !== main) pairs.push([learned, shuffled]);
  return html`<h3>${main.name} minus each other arm</h3>
    <p>
      On the same held-out problems after the last iteration, in points of a hundred; above 0 speaks for the first
      named.
      ${intervalSentence}.${shuffled ? " Whether it matters which tokens weigh more shows only against the same weights shuffled." : ""}
    </p>
    ${differencesTable(
      [
        { head: "Greedy, points", text: points },
        { head: "Sampled, points", text: points },
        ...(hasProbability ? [{ head: "Reference, points", text: points }] : []),
      ],
      pairs.map(([one, other]) => differenceRow(one, other, hasProbability)),
    )}
    ${oneSeed}`;
}

function differenceRow(one: ArmRun, other: ArmRun, hasProbability: boolean): Difference {
  const name = html`${one.name} − ${other.name}`;
  const [ours, theirs] = [one, other].map((arm) => resultOf(arm).after);
  const pair = (key: "rowCorrect" | "rowPassRate" | "rowProbability") =>
    ours && theirs && differenceIn(key, ours, theirs);
  const [greedy, sampled] = [pair("rowCorrect"), pair("rowPassRate")];
  const rows = Math.max(greedy?.rows ?? 0, sampled?.rows ?? 0);
  if (rows === 0) return { name, absent: "not both have answered held-out problems" };
  const probability = hasProbability ? [pair("rowProbability")?.result] : [];
  return { name, cells: [greedy?.result, sampled?.result, ...probability], rows };
}
