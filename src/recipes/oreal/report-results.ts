import { differenceIn, resultOf } from "../../report/compare-arms.ts";
import { type Difference, differencesTable, intervalSentence, oneSeed, points } from "../../report/differences.ts";
import { formatDuration, formatNumber, formatShare } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import type { ArmRun, Run } from "../../report/read-run.ts";
import { groupOf } from "../../report/header.ts";
import { type JsonObject, textOf } from "../../report/run-files.ts";
import { tableHtml } from "../../report/table.ts";

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
  const table = tableHtml(
    [
      { head: "Arm" },
      { head: "Greedy, before", kind: "n from" },
      { head: "after", kind: "n to" },
      { head: "Sampled, before", kind: "n from" },
      { head: "after", kind: "n to" },
      ...["Iterations", "Answers", "Time"].map((head) => ({ head, kind: "n" as const })),
      { head: "Objective", kind: "wrap" },
    ],
    results.map(({ arm, before, after }) => [
      arm.name,
      ...[formatShare(before?.exactMatch, 1), formatShare(after?.exactMatch, 1)],
      ...[formatShare(before?.value("passAt1"), 1), formatShare(after?.value("passAt1"), 1)],
      formatNumber(arm.metrics.at(-1)?.step ?? 0),
      formatNumber(arm.metrics.reduce((sum, { value }) => sum + (value("responses") || 0), 0)),
      formatDuration(arm.seconds),
      objectiveOf(objectives.get(arm.name) ?? {}),
    ]),
    "arms",
  );
  return html`<section>
    <h2>Results</h2>
    <p>
      Share of right answers to ${rows > 0 ? formatNumber(rows) : "the"} held-out problems before the first iteration
      and after the last: of each problem's likeliest answer (greedy), and of answers drawn at random (sampled).
    </p>
    ${table} ${differences(all, objectives)}
  </section>`;
}

const sourceOf = (objective: JsonObject | undefined) => textOf(groupOf(objective ?? {}, "weights")["source"]);

function objectiveOf(objective: JsonObject): string {
  const weights: Record<string, string> = {
    none: "no token weights",
    learned: "learned token weights",
    shuffled: "control: learned token weights, shuffled within each answer",
  };
  const preset = textOf(objective["preset"]);
  const source = sourceOf(objective);
  return [preset, source && weights[source]].filter((part) => part !== undefined).join(", ");
}

function differences(all: readonly ArmRun[], objectives: ReadonlyMap<string, JsonObject>): Html {
  const [main, ...others] = all as [ArmRun, ...ArmRun[]];
  if (others.length === 0) return html`<p>There is no arm to compare with: name some under <code>compare</code>.</p>`;
  const of = (source: string) => all.find(({ name }) => sourceOf(objectives.get(name)) === source);
  const [learned, shuffled] = [of("learned"), of("shuffled")];
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
      ],
      pairs.map(([one, other]) => differenceRow(one, other)),
    )}
    ${oneSeed}`;
}

function differenceRow(one: ArmRun, other: ArmRun): Difference {
  const name = html`${one.name} − ${other.name}`;
  const [ours, theirs] = [one, other].map((arm) => resultOf(arm).after);
  const pair = (key: "rowCorrect" | "rowPassRate") => ours && theirs && differenceIn(key, ours, theirs);
  const [greedy, sampled] = [pair("rowCorrect"), pair("rowPassRate")];
  const rows = Math.max(greedy?.rows ?? 0, sampled?.rows ?? 0);
  if (rows === 0) return { name, absent: "not both have answered held-out problems" };
  return { name, cells: [greedy?.result, sampled?.result], rows };
}
