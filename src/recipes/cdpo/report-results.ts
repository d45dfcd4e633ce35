import { differenceIn } from "../../report/compare-arms.ts";
import { type Difference, differencesTable, intervalSentence, oneSeed, points } from "../../report/differences.ts";
import { type Html, html } from "../../report/html.ts";
import { comparedArms, type Run } from "../../report/read-run.ts";
import { groupOf } from "../../report/header.ts";
import { type JsonObject, labelOf, numberOf, numbersOf, rowProbabilitiesOf, textOf } from "../../report/run-files.ts";
import { resultHtml } from "../kit/results.ts";
import { cdpoResults, type ModelRow } from "./results.ts";
import { isRecord } from "../../system/is-record.ts";

/** The answers of one model; numbers are NaN where the file has none. */
export type AnsweringModel = Required<
  Pick<ModelRow, "name" | "rows" | "greedy" | "sampled" | "rowIds" | "rowCorrect" | "rowPassRate">
> & {
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
    ...{ rowIds: numbersOf(row["rowIds"]) ?? [], rowCorrect: numbersOf(row["rowCorrect"]) ?? [] },
    ...{ rowPassRate: numbersOf(row["rowPassRate"]) ?? [], rowProbability: rowProbabilitiesOf(row) },
  }));
}

/** What each model answers, and the main arm against each other model. */
export function resultsSection(run: Run, rows: readonly JsonObject[]): Html {
  if (rows.length === 0)
    return html`<section>
      <h2>Results</h2>
      <p>This run has no answers to held-out problems yet: it ends with them.</p>
    </section>`;
  const models = modelsOf(rows);
  const main = models.find(({ name }) => name === run.main.name);
  return html`<section>
    <h2>Results</h2>
    <p>
      Share of right answers to held-out problems: of each problem's likeliest answer (greedy), and of answers drawn at
      random (sampled). All models draw by the same random numbers. The probability of the reference is that of the
      whole response that the data give, as a mean over problems.
    </p>
    ${resultHtml(cdpoResults, rows)} ${main && differences(main, models)}
  </section>`;
}

/** The method of each arm's objective by the arm's name. */
export function methodsOf({ config, main }: Run): Map<string, string | undefined> {
  const of = (arm: JsonObject) => textOf(groupOf(arm, "objective")["method"]);
  const compared = comparedArms(config).map(({ name, entry }) => [name, of(entry)] as const);
  return new Map([[main.name, of(groupOf(config, "align"))], ...compared]);
}

function differences(main: AnsweringModel, models: readonly AnsweringModel[]): Html | undefined {
  const shares = (["rowPassRate", "rowProbability"] as const).filter((key) =>
    models.some((model) => model[key].length > 0),
  );
  const heads = { rowPassRate: "Sampled, points", rowProbability: "Reference, points" };
  const others = models.filter(({ name }) => name !== main.name);
  const rows = others.map((other): Difference => {
    const name = html`${main.name} − ${other.name}`;
    const greedy = differenceIn("rowCorrect", main, other);
    if (!greedy) return { name, absent: "the answers to single problems are not known" };
    return {
      name,
      cells: [greedy.result, ...shares.map((key) => differenceIn(key, main, other)?.result)],
      rows: greedy.rows,
    };
  });
  if (rows.length === 0) return undefined;
  return html`<h3>${main.name} minus each other model</h3>
    <p>
      On the same held-out problems, in points of a hundred; above 0 speaks for ${main.name}. ${intervalSentence}. What
      the weights do shows only against the same weights shuffled, and what the pairs do only against fine-tuning on the
      right answers.
    </p>
    ${differencesTable(
      [{ head: "Greedy, points", text: points }, ...shares.map((key) => ({ head: heads[key], text: points }))],
      rows,
    )}
    ${oneSeed}`;
}
