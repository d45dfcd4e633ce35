import { findEntry } from "../../config/catalogue.ts";
import { methodLabel } from "../../config/method-choice.ts";
import { preferenceForms } from "../../preference/index.ts";
import { differenceIn } from "../../report/compare-arms.ts";
import { type Difference, differencesTable, intervalSentence, oneSeed, points } from "../../report/differences.ts";
import { formatNumber, formatShare } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { comparedArms, type Run } from "../../report/read-run.ts";
import { groupOf } from "../../report/header.ts";
import { isObject, type JsonObject, labelOf, numberOf, numbersOf, textOf } from "../../report/run-files.ts";
import { tableHtml } from "../../report/table.ts";

/** What the answers of one model come to. */
export interface AnsweringModel {
  readonly name: string;
  readonly rows: number;
  readonly greedy: number;
  readonly sampled: number;
  readonly rowIds: readonly number[];
  readonly rowCorrect: readonly number[];
  readonly rowPassRate: readonly number[];
}

/** The models of `results.json`, the starting one first. */
export function modelsOf(results: JsonObject): AnsweringModel[] {
  const scores = results["scores"];
  return (Array.isArray(scores) ? (scores as unknown[]) : []).filter(isObject).map((score) => ({
    name: labelOf(score["name"]) ?? "",
    ...{ rows: numberOf(score["rows"]), greedy: numberOf(score["greedy"]), sampled: numberOf(score["sampled"]) },
    ...{ rowIds: numbersOf(score["rowIds"]) ?? [], rowCorrect: numbersOf(score["rowCorrect"]) ?? [] },
    rowPassRate: numbersOf(score["rowPassRate"]) ?? [],
  }));
}

/** What each model answers, and the main arm against each other model. */
export function resultsSection(run: Run, models: readonly AnsweringModel[]): Html {
  if (models.length === 0)
    return html`<section>
      <h2>Results</h2>
      <p>This run has no answers to held-out problems yet: it ends with them.</p>
    </section>`;
  const main = models.find(({ name }) => name === run.main.name);
  const methods = methodsOf(run);
  const hasSampled = models.some(({ sampled }) => Number.isFinite(sampled));
  const table = tableHtml(
    [
      { head: "Model" },
      { head: "Greedy", kind: "n to" },
      ...(hasSampled ? [{ head: "Sampled", kind: "n to" } as const] : []),
      { head: "Problems", kind: "n from" },
      { head: "What it learnt", kind: "wrap" },
    ],
    models.map((model) => [
      model.name,
      formatShare(model.greedy, 1),
      ...(hasSampled ? [formatShare(model.sampled, 1)] : []),
      formatNumber(model.rows),
      model.name === "base" ? "nothing: the starting model" : learntBy(methods.get(model.name)),
    ]),
  );
  return html`<section>
    <h2>Results</h2>
    <p>
      Share of right answers to held-out problems: of each problem's likeliest answer (greedy), and of answers drawn at
      random (sampled). All models draw by the same random numbers.
    </p>
    ${table} ${main && differences(main, models, hasSampled)}
  </section>`;
}

/** The method of each arm's objective by the arm's name. */
export function methodsOf({ config, main }: Run): Map<string, string | undefined> {
  const of = (arm: JsonObject) => textOf(groupOf(arm, "objective")["method"]);
  const compared = comparedArms(config).map(({ name, entry }) => [name, of(entry)] as const);
  return new Map([[main.name, of(groupOf(config, "align"))], ...compared]);
}

/** What an arm of the method learns; controls say what they control for. */
function learntBy(method: string | undefined): string | undefined {
  return method === undefined ? undefined : (findEntry(preferenceForms, method)?.learns ?? methodLabel(method));
}

function differences(main: AnsweringModel, models: readonly AnsweringModel[], hasSampled: boolean): Html | undefined {
  const others = models.filter(({ name }) => name !== main.name);
  const rows = others.map((other): Difference => {
    const name = html`${main.name} − ${other.name}`;
    const [greedy, sampled] = [differenceIn("rowCorrect", main, other), differenceIn("rowPassRate", main, other)];
    if (!greedy) return { name, absent: "the answers to single problems are not known" };
    return { name, cells: [greedy.result, ...(hasSampled ? [sampled?.result] : [])], rows: greedy.rows };
  });
  if (rows.length === 0) return undefined;
  return html`<h3>${main.name} minus each other model</h3>
    <p>
      On the same held-out problems, in points of a hundred; above 0 speaks for ${main.name}. ${intervalSentence}. What
      the weights do shows only against the same weights shuffled, and what the pairs do only against fine-tuning on the
      right answers.
    </p>
    ${differencesTable(
      [{ head: "Greedy, points", text: points }, ...(hasSampled ? [{ head: "Sampled, points", text: points }] : [])],
      rows,
    )}
    ${oneSeed}`;
}
