import { differenceIn } from "../../report/compare-arms.ts";
import { type Difference, differencesTable, intervalSentence, oneSeed, points } from "../../report/differences.ts";
import { type Html, html } from "../../report/html.ts";
import { comparedArms } from "../../report/read-run.ts";
import type { Run } from "../../report/run.ts";
import { groupOf } from "../../report/header.ts";
import { type JsonObject, labelOf, numberOf, numbersOf, rowProbabilitiesOf, textOf } from "../../report/run-files.ts";
import { resultHtml } from "../kit/results.ts";
import { cdpoResults, type ModelRow } from "./results.ts";
import { isRecord } from "../../system/is-record.ts";

/** The answers of one model; numbers are NaN where the file has none. */
export type AnsweringModel = Required<
  Pick<ModelRow, "name" | "rows" | "greedy" | "sampled" | "preferred" | "rowIds">
> & {
  readonly rowCorrect: readonly number[];
  readonly rowPassRate: readonly number[];
  readonly rowPreferred: readonly number[];
  /** Probability of each problem's whole reference response. */
  readonly rowProbability: readonly number[];
};

/** The rows of `results.json`, the starting model's first. */
export function rowsOf(results: JsonObject): JsonObject[] {
  const rows = results["rows"];
  return (Array.isArray(rows) ? (rows as unknown[]) : []).filter(isRecord);
}

/** The models of the rows. */
export function modelsOf(rows: readonly JsonObject[]): AnsweringModel[] {
  return rows.map((row) => ({
    name: labelOf(row["name"]) ?? "",
    ...{ rows: numberOf(row["rows"]), greedy: numberOf(row["greedy"]), sampled: numberOf(row["sampled"]) },
    ...{ preferred: numberOf(row["preferred"]), rowPreferred: numbersOf(row["rowPreferred"]) ?? [] },
    ...{ rowIds: numbersOf(row["rowIds"]) ?? [], rowCorrect: numbersOf(row["rowCorrect"]) ?? [] },
    ...{ rowPassRate: numbersOf(row["rowPassRate"]) ?? [], rowProbability: rowProbabilitiesOf(row) },
  }));
}

/** What each model answers, and the main arm against each other model. */
export function resultsSection(run: Run, rows: readonly JsonObject[]): Html {
  if (rows.length === 0)
    return html`<section>
      <h2>Results</h2>
      <p>This run has no held-out results yet: it ends with them.</p>
    </section>`;
  const models = modelsOf(rows);
  const main = models.find(({ name }) => name === run.main.name);
  const ofPairs = models.some(({ rowPreferred }) => rowPreferred.length > 0);
  return html`<section>
    <h2>Results</h2>
    ${ofPairs ? aboutPairs : aboutAnswers} ${resultHtml(cdpoResults, rows)} ${main && differences(main, models)}
  </section>`;
}

const aboutPairs = html`<p>
  A model prefers the chosen answer of a held-out pair where its log-probability has gained more since the start than
  that of the rejected one; the margin says how much more, as a mean over pairs. The loss is that of the chosen answers.
</p>`;

const aboutAnswers = html`<p>
  Share of right answers to held-out problems: of each problem's likeliest answer (greedy), and of answers drawn at
  random (sampled). All models draw by the same random numbers. The probability of the reference is that of the whole
  response that the data give, as a mean over problems.
</p>`;

/** The method of each arm's objective by the arm's name. */
export function methodsOf({ config, main }: Run): Map<string, string | undefined> {
  const of = (arm: JsonObject) => textOf(groupOf(arm, "objective")["method"]);
  const compared = comparedArms(config).map(({ name, entry }) => [name, of(entry)] as const);
  return new Map([[main.name, of(groupOf(config, "align"))], ...compared]);
}

function differences(main: AnsweringModel, models: readonly AnsweringModel[]): Html | undefined {
  const shares = (["rowCorrect", "rowPassRate", "rowPreferred", "rowProbability"] as const).filter((key) =>
    models.some((model) => model[key].length > 0),
  );
  const heads = {
    rowCorrect: "Greedy, points",
    rowPassRate: "Sampled, points",
    rowPreferred: "Prefers the chosen, points",
    rowProbability: "Reference, points",
  };
  const others = models.filter(({ name }) => name !== main.name);
  const rows = others.map((other): Difference => {
    const name = html`${main.name} − ${other.name}`;
    const found = shares.map((key) => differenceIn(key, main, other));
    const rows = Math.max(0, ...found.map((each) => each?.rows ?? 0));
    if (rows === 0) return { name, absent: "the answers to single problems are not known" };
    return { name, cells: found.map((each) => each?.result), rows };
  });
  if (rows.length === 0) return undefined;
  return html`<h3>${main.name} minus each other model</h3>
    <p>
      On the same held-out problems, in points of a hundred; above 0 speaks for ${main.name}. ${intervalSentence}. What
      the weights do shows only against the same weights shuffled, and what the pairs do only against fine-tuning on the
      right answers.
    </p>
    ${differencesTable(
      shares.map((key) => ({ head: heads[key], text: points })),
      rows,
    )}
    ${oneSeed}`;
}
