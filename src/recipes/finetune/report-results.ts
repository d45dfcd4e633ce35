import { differenceOf, noiseResult, resultOf } from "../../report/compare-arms.ts";
import { type Difference, differencesTable, intervalSentence, oneSeed, points } from "../../report/differences.ts";
import { formatDifference, formatNumber, formatShare } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import type { ArmRun, Run } from "../../report/run.ts";
import { controlsAmong, evaluatedRows, findingOf } from "../kit/finding.ts";
import { resultHtml } from "../kit/results.ts";
import { finetuneResults, isControl, resultRow } from "./results.ts";

/** The section on held-out rows: before and after for every arm, and the main arm against each other one. */
export function resultsSection({ main, arms }: Run): Html {
  const results = [main, ...arms].map(resultOf);
  if (results.every(({ before, after }) => !before && !after))
    return html`<section>
      <h2>Results</h2>
      <p>
        This run has no evaluation. Give <code>data.validation</code> to have held-out rows measured before and after
        training.
      </p>
    </section>`;
  const rows = Math.max(...results.map(({ before, after }) => (after ?? before)?.rowIds.length ?? 0));
  return html`<section>
    <h2>Results</h2>
    <p>
      Measured on ${rows > 0 ? html`${formatNumber(rows)} held-out rows` : "held-out rows"}, before the first step and
      after the last. Loss is the mean over response tokens in nats and perplexity its exponential, lower is better;
      exact match is the share of rows whose generated answer is right, sampled that of answers drawn at random. The
      probability of the reference is that of the whole response, the end of the turn included, as a mean over rows: the
      share of answers drawn at temperature 1 that would be exactly it.
    </p>
    ${finding(main, arms)} ${resultHtml(finetuneResults, [main, ...arms].map(resultRow))}
    ${arms.length > 0 ? differences(main, arms) : html`<p>There is no arm to compare with: name some under <code>compare</code> to see what the rule itself changes.</p>`}
  </section>`;
}

/** The same sentence as the terminal's last one. */
function finding(main: ArmRun, arms: readonly ArmRun[]): Html | undefined {
  const ours = evaluatedRows(main);
  const against = controlsAmong(arms, ({ method }) => isControl(method));
  const controls = against.flatMap((arm) => evaluatedRows(arm) ?? []);
  const sentence = ours && findingOf(finetuneResults, { main: ours, controls });
  return sentence === undefined ? undefined : html`<p>${sentence}</p>`;
}

/** An arm's name, with its method where that says more. */
export function armName({ name, method }: ArmRun): Html {
  return name === method ? html`${name}` : html`${name} <small>${method}</small>`;
}

function differences(main: ArmRun, arms: readonly ArmRun[]): Html {
  const compared = arms.map((arm) => ({ arm, difference: differenceOf(main, arm) }));
  const has = (key: "probability" | "exactMatch" | "sampled") => compared.some(({ difference }) => difference?.[key]);
  const heads = { probability: "Reference, points", exactMatch: "Exact match, points", sampled: "Sampled, points" };
  const shares = (["probability", "exactMatch", "sampled"] as const).filter(has);
  const generated = has("exactMatch");
  const lastStep = resultOf(main).after?.step;
  const columns = [
    { head: "Loss per row", text: (value: number) => formatDifference(value, 4) },
    ...shares.map((key) => ({ head: heads[key], text: points })),
  ];
  const rows = compared.map(({ arm, difference }): Difference => {
    const name = html`${main.name} − ${armName(arm)}`;
    if (difference === undefined) return { name, absent: "no step at which both evaluated the same rows" };
    const { loss, rows, step } = difference;
    const note = step === lastStep ? undefined : `at step ${step}`;
    return { name, cells: [loss, ...shares.map((key) => difference[key])], rows, note };
  });
  return html`<h3>${main.name} minus each other arm</h3>
    <p>
      Both models on the same held-out rows. A loss below 0 speaks for
      ${main.name}${generated ? ", as does an exact match above 0" : ""}${has("probability") ? ", as does a probability of the reference above 0" : ""}.
      ${intervalSentence}; the mean here counts every row the same, so it may part a little from the losses above, which
      count every token the same.
    </p>
    ${differencesTable(columns, rows)} ${oneSeed}`;
}

/** How well what was dropped agrees with labelled noise; undefined if no arm has labels. */
export function noiseSection({ main, arms }: Run): Html | undefined {
  const graded = [main, ...arms].flatMap((arm) => (arm.noise ? [{ arm, grade: noiseResult(arm.noise) }] : []));
  if (graded.length === 0) return undefined;
  const row = ({ arm, grade }: (typeof graded)[number]) =>
    html`<tr>
      <th scope="row">${armName(arm)}</th>
      <td class="n">${formatNumber(grade.tokens)}</td>
      <td class="n">${formatNumber(grade.dropped)}</td>
      <td class="n">${formatNumber(grade.noise)}</td>
      <td class="n">${formatNumber(grade.hits)}</td>
      <td class="n to">${formatShare(grade.precision, 1)}</td>
      <td class="n from">${formatShare(grade.expectedPrecision, 1)}</td>
      <td class="n to">${formatShare(grade.recall, 1)}</td>
      <td class="n from">${formatShare(grade.expectedRecall, 1)}</td>
    </tr> `;
  return html`<section>
    <h2>Dropped tokens and labelled noise</h2>
    <p>
      The data label which response tokens are noise; training never saw the labels. Precision is the share of dropped
      tokens that are noise, recall the share of noise that was dropped, over all steps. Beside each stands what
      dropping as many tokens at random expects: the share of noise for precision, the share dropped for recall. A rule
      that finds noise lies clearly above.
    </p>
    <div class="scroll" tabindex="0" role="group" aria-label="Table">
      <table class="arms">
        <thead>
          <tr>
            <th scope="col" rowspan="2">Arm</th>
            <th scope="colgroup" colspan="4" class="c">Response tokens</th>
            <th scope="colgroup" colspan="2" class="c">Precision</th>
            <th scope="colgroup" colspan="2" class="c">Recall</th>
          </tr>
          <tr>
            ${["all", "dropped", "noise", "dropped noise", "found", "at random", "found", "at random"].map((head) => html`<th scope="col" class="n">${head}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${graded.map(row)}
        </tbody>
      </table>
    </div>
  </section>`;
}
