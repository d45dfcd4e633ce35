import { type Html, html } from "../html.ts";
import { optional } from "../../system/optional.ts";
import { mostPictured } from "../../config/report-group.ts";
import { lossText } from "../chosen-rows.ts";
import type { Run } from "../run.ts";
import { picturesOf } from "../tokens.ts";
import { type Explorer, mostTokens } from "./explorer.ts";

/** A run's pictured rows, which answer to a person where there is an explorer; `whose` says what they are. */
export function tokensSection({ tokens }: Run, explorer: Explorer | undefined, whose: string): Html | undefined {
  if (tokens === undefined || tokens.rows.length === 0) return undefined;
  const { legend, drawn, leftOut, has } = picturesOf(
    tokens.rows.map((row, i) => ({ row, ...optional({ about: lossText(tokens.facts[i]!) }) })),
    { mostRows: mostPictured, mostTokens, numbered: explorer !== undefined },
  );
  return html`<section>
    <h2>Tokens</h2>
    <p>
      ${whose} Underscored tokens train, tokens struck through are dropped, grey ones are the
      prompt.${has.scores ? " The bluer a token, the higher its score ranks within its response." : ""} Point at a token
      for its numbers.${leftOut > 0 ? ` ${leftOut} rows are left out.` : ""}
    </p>
    ${explorer?.controls} ${legend} ${drawn} ${explorer?.script}
  </section>`;
}
