import type { PairedComparison } from "../evaluation/paired-bootstrap.ts";
import { formatDifference, formatNumber } from "./format.ts";
import { type Html, html } from "./html.ts";

/** A number that is compared. */
export interface DifferenceColumn {
  readonly head: string;
  readonly text: (value: number) => string;
}

/** One against another: a comparison for each column, undefined where there is none; or why there is none at all. */
export type Difference =
  | {
      readonly name: Html;
      readonly cells: readonly (PairedComparison | undefined)[];
      readonly rows: number;
      readonly note?: string | undefined;
    }
  | { readonly name: Html; readonly absent: string };

/** A difference of shares in points of a hundred. */
export const points = (value: number): string => formatDifference(100 * value, 1);

export const intervalSentence =
  "The interval holds 95 % of the mean differences when rows are drawn again (paired bootstrap)";

/** What intervals over rows leave open. */
export const oneSeed = html`<p class="honest">
  This is one seed. The intervals tell how the difference depends on which rows were held out, not how it would turn out
  if training were repeated, so this run cannot name a winner. Repeat it with several seeds to find out.
</p>`;

/** Mean differences over held-out rows with their intervals, as numbers and as lines on one scale per column. */
export function differencesTable(columns: readonly DifferenceColumn[], differences: readonly Difference[]): Html {
  const reaches = columns.map((_, c) =>
    Math.max(
      1e-9,
      ...differences.flatMap((each) => {
        const found = "cells" in each ? each.cells[c] : undefined;
        return found ? [Math.abs(found.low), Math.abs(found.high)] : [];
      }),
    ),
  );
  const cells = (found: PairedComparison | undefined, c: number) => {
    const { text } = columns[c]!;
    return found
      ? html`<td class="n to">${text(found.difference)}</td>
          <td class="n">${text(found.low)} to ${text(found.high)}</td>
          <td class="axis">${whisker(found, reaches[c]!)}</td>`
      : html`<td class="n">–</td>
          <td class="n">–</td>
          <td class="axis"></td>`;
  };
  const row = (each: Difference) =>
    html`<tr>
      <th scope="row" class="wrap">${each.name}</th>
      ${
        "cells" in each
          ? html`${each.cells.map(cells)}
              <td class="n">
                ${formatNumber(each.rows)}${each.note === undefined ? undefined : html` <small>${each.note}</small>`}
              </td>`
          : html`<td colspan="${3 * columns.length + 1}">${each.absent}</td>`
      }
    </tr> `;
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Table">
    <table>
      <thead>
        <tr>
          <th scope="col">Difference</th>
          ${columns.map(
            ({ head }) =>
              html`<th scope="col" class="n">${head}</th>
                <th scope="col" class="n">95 % interval</th>
                <th scope="col" class="c axis">0</th>`,
          )}
          <th scope="col" class="n">Rows</th>
        </tr>
      </thead>
      <tbody>
        ${differences.map(row)}
      </tbody>
    </table>
  </div>`;
}

/** An interval as a line with its middle as a dot, on a scale from -most to most whose middle is 0. */
function whisker({ low, high, difference }: PairedComparison, most: number): Html {
  const x = (value: number) => (60 + (55 * value) / most).toFixed(1);
  return html`<svg class="whisker" width="96" height="12" viewBox="0 0 120 14" aria-hidden="true">
    <path d="M60 0V14" stroke="currentColor" stroke-opacity=".35" />
    <path d="M${x(low)} 7H${x(high)}" stroke="var(--arm-0)" stroke-width="2" />
    <circle cx="${x(difference)}" cy="7" r="3.2" fill="var(--arm-0)" />
  </svg>`;
}
