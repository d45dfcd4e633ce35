import { type Content, type Html, html } from "./html.ts";

/** A column of a table; `n` numbers, `from` pale ones, `to` heavy ones, `wrap` text that may need several lines. */
export interface Column {
  readonly head: string;
  readonly kind?: "n" | "n from" | "n to" | "wrap";
}

/** A table whose first column names its rows. Cells have one entry per column. */
export function tableHtml(columns: readonly Column[], rows: readonly (readonly Content[])[], style = ""): Html {
  const kindOf = (c: number) => columns[c]?.kind ?? "";
  const headKind = (c: number) => (kindOf(c).startsWith("n") ? "n" : "");
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Table">
    <table class="${style}">
      <thead>
        <tr>
          ${columns.map(({ head }, c) => html`<th scope="col" class="${headKind(c)}">${head}</th> `)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([name, ...cells]) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${cells.map((cell, c) => html`<td class="${kindOf(c + 1)}">${cell}</td> `)}
            </tr> `,
        )}
      </tbody>
    </table>
  </div>`;
}
