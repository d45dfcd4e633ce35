import type { PairedComparison } from "../evaluation/index.ts";
import { type ArmDifference, type ArmResult, differenceOf, noiseResult, resultOf } from "./compare-arms.ts";
import { formatDifference, formatFixed, formatNumber, formatShare } from "./format.ts";
import { type Html, html } from "./html.ts";
import type { ArmRun, Run } from "./read-run.ts";

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
      exact match is the share of rows whose generated answer is right.
    </p>
    ${resultsTable(results)}
    ${arms.length > 0 ? differences(main, arms) : html`<p>There is no arm to compare with: name some under <code>compare</code> to see what the rule itself changes.</p>`}
  </section>`;
}

function resultsTable(results: readonly ArmResult[]): Html {
  const generated = results.some(({ before, after }) => [before, after].some((e) => Number.isFinite(e?.exactMatch)));
  const pair = (a: string, b: string) =>
    html`<td class="n from">${a}</td>
      <td class="n to">${b}</td>`;
  const row = ({ arm, before, after }: ArmResult) =>
    html`<tr>
      <th scope="row">${armName(arm)}</th>
      <td class="n">${after ? formatNumber(after.step) : "–"}</td>
      ${pair(formatFixed(before?.loss, 4), formatFixed(after?.loss, 4))}${pair(formatFixed(before?.perplexity, 2), formatFixed(after?.perplexity, 2))}${generated ? pair(formatShare(before?.exactMatch, 1), formatShare(after?.exactMatch, 1)) : undefined}
    </tr> `;
  const heads = ["Held-out loss", "Perplexity", ...(generated ? ["Exact match"] : [])];
  return html`<div class="scroll">
    <table class="arms">
      <thead>
        <tr>
          <th scope="col" rowspan="2">Arm</th>
          <th scope="col" rowspan="2" class="n">Steps</th>
          ${heads.map((head) => html`<th scope="colgroup" colspan="2" class="c">${head}</th>`)}
        </tr>
        <tr>
          ${heads.map(
            () =>
              html`<th scope="col" class="n">before</th>
                <th scope="col" class="n">after</th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${results.map(row)}
      </tbody>
    </table>
  </div>`;
}

/** An arm's name, with its method where that says more. */
export function armName({ name, method }: ArmRun): Html {
  return name === method ? html`${name}` : html`${name} <small>${method}</small>`;
}

function differences(main: ArmRun, arms: readonly ArmRun[]): Html {
  const compared = arms.map((arm) => ({ arm, difference: differenceOf(main, arm) }));
  const generated = compared.some(({ difference }) => difference?.exactMatch);
  const reach = (pick: (d: ArmDifference) => PairedComparison | undefined) =>
    Math.max(
      1e-9,
      ...compared.flatMap(({ difference }) => {
        const found = difference && pick(difference);
        return found ? [Math.abs(found.low), Math.abs(found.high)] : [];
      }),
    );
  const [lossReach, matchReach] = [reach((d) => d.loss), reach((d) => d.exactMatch)];
  const points = (value: number) => formatDifference(100 * value, 1);
  const lastStep = resultOf(main).after?.step;
  const cells = (found: PairedComparison | undefined, text: (value: number) => string, most: number) =>
    found
      ? html`<td class="n to">${text(found.difference)}</td>
          <td class="n">${text(found.low)} to ${text(found.high)}</td>
          <td>${whisker(found, most)}</td>`
      : html`<td class="n">–</td>
          <td class="n">–</td>
          <td></td>`;
  const row = ({ arm, difference }: (typeof compared)[number]) =>
    html`<tr>
      <th scope="row">${main.name} − ${armName(arm)}</th>
      ${
        difference
          ? html`${cells(difference.loss, (x) => formatDifference(x, 4), lossReach)}${generated ? cells(difference.exactMatch, points, matchReach) : undefined}
              <td class="n">
                ${formatNumber(difference.rows)}${difference.step === lastStep ? undefined : html` <small>at step ${difference.step}</small>`}
              </td>`
          : html`<td colspan="${generated ? 7 : 4}">no step at which both evaluated the same rows</td>`
      }
    </tr> `;
  const heads = ["Loss per row", ...(generated ? ["Exact match, points"] : [])];
  return html`<h3>${main.name} minus each other arm</h3>
    <p>
      Both models on the same held-out rows. A loss below 0 speaks for
      ${main.name}${generated ? ", as does an exact match above 0" : ""}. The interval holds 95 % of the mean
      differences when rows are drawn again (paired bootstrap); the mean here counts every row the same, so it may part
      a little from the losses above, which count every token the same.
    </p>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Difference</th>
            ${heads.map(
              (head) =>
                html`<th scope="col" class="n">${head}</th>
                  <th scope="col" class="n">95 % interval</th>
                  <th scope="col" class="c">0</th>`,
            )}
            <th scope="col" class="n">Rows</th>
          </tr>
        </thead>
        <tbody>
          ${compared.map(row)}
        </tbody>
      </table>
    </div>
    <p class="honest">
      This is one seed. The intervals tell how the difference depends on which rows were held out, not how it would turn
      out if training were repeated, so this run cannot name a winner. Repeat it with several seeds to find out.
    </p>`;
}

/** An interval as a line with its middle as a dot, on a scale from -most to most whose middle is 0. */
function whisker({ low, high, difference }: PairedComparison, most: number): Html {
  const x = (value: number) => (60 + (55 * value) / most).toFixed(1);
  return html`<svg class="whisker" width="120" height="14" viewBox="0 0 120 14" aria-hidden="true">
    <path d="M60 0V14" stroke="currentColor" stroke-opacity=".35" />
    <path d="M${x(low)} 7H${x(high)}" stroke="var(--arm-0)" stroke-width="2" />
    <circle cx="${x(difference)}" cy="7" r="3.2" fill="var(--arm-0)" />
  </svg>`;
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
    <div class="scroll">
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
