import { formatNumber, formatShare } from "../../report/format.ts";
import { type Html, html } from "../../report/html.ts";
import { mostPictured } from "../../config/report-group.ts";
import { chosenText, lossBehind } from "../../report/chosen-rows.ts";
import type { PicturedRows, Run } from "../../report/run.ts";
import { picturesOf } from "../../report/tokens.ts";
import { type JsonObject, numberOf, numbersOf } from "../../report/run-files.ts";
import type { ScoredRow, TokenWords } from "../../report/token-picture.ts";

const words: TokenWords = {
  prompt: "always stays, or answer",
  kept: "kept by some head",
  dropped: "evicted by all",
  noise: "in a sentence that matters",
  weight: false,
};

const mostGroups = 6;
const markupOfRow = 250_000;

/** Prompts with the share of heads that keep each token: over all layers, and by groups of layers. */
export function tokensSection({ tokens }: Run): Html | undefined {
  if (tokens === undefined || tokens.rows.length === 0) return undefined;
  const shown = tokens.rows.slice(0, mostPictured).map((row, i) => rowOf(row, tokens.facts[i]!, i === 0));
  const when = Number.isFinite(tokens.step) ? ` after step ${tokens.step}` : "";
  const marked = tokens.rows.some(({ noise }) => noise?.some(Boolean));
  return html`<section>
    <h2>Tokens in the cache</h2>
    <p>
      ${whose(tokens, when)} The bluer a token, the more heads keep it; one struck through is evicted by all of them,
      grey ones always stay or are part of the
      answer.${marked ? " Tokens of sentences that matter are underlined in red." : ""} Point at a token for its number.
    </p>
    ${shown}
  </section>`;
}

/** Whose rows are pictured, as sentences. */
function whose({ chosen }: PicturedRows, when: string): string {
  const text = chosenText(chosen, {
    all: (count) => `the ${count} held-out rows that are evaluated`,
    loss: "loss per response token under the gates' decisions",
  });
  if (text === undefined)
    return `The first held-out rows under the gates${when} (training rows where none are held out).`;
  return `Held-out rows under the gates${when} (training rows where none are held out). ${text}`;
}

function rowOf(row: ScoredRow, facts: JsonObject, first: boolean): Html {
  const caption = `Row ${formatNumber(row.rowId)}, all layers: ${keptOf(row)}${lossBehind(facts)}`;
  const options = { words, range: [0, 1] as const, mostTokens: 400 };
  const whole = picturesOf([{ row, caption }], { ...options, mostMarkup: markupOfRow });
  const groups = groupsOf(row, facts);
  const parts =
    groups.length < 2 ? undefined : picturesOf(groups, { ...options, mostMarkup: markupOfRow - whole.size });
  return html`${first ? whole.legend : undefined} ${whole.drawn}
  ${
    parts && parts.drawn.length > 0
      ? html`<details ${first ? html`open` : undefined}>
          <summary>The same row, layer by layer</summary>
          ${parts.drawn}
        </details>`
      : undefined
  }`;
}

/** The row as each layer's heads see it; of many layers, as neighbouring ones do together. */
function groupsOf(row: ScoredRow, { keptHeads, heads }: JsonObject): { row: ScoredRow; caption: string }[] {
  const count = numberOf(heads);
  const layers = (Array.isArray(keptHeads) ? (keptHeads as unknown[]) : []).map(numbersOf);
  if (!(count > 0) || layers.some((layer) => layer?.length !== row.pieces.length)) return [];
  const size = Math.ceil(layers.length / mostGroups);
  return Array.from({ length: Math.ceil(layers.length / size) || 0 }, (_, g) => {
    const own = layers.slice(g * size, (g + 1) * size) as number[][];
    const share = row.pieces.map((_, t) => own.reduce((sum, layer) => sum + layer[t]!, 0) / (count * own.length));
    const part = {
      ...row,
      weights: share.map((x) => Number(x > 0)),
      score: share.map((x, t) => (row.response[t] ? x : null)),
    };
    const name = own.length === 1 ? `Layer ${g * size + 1}` : `Layers ${g * size + 1} to ${g * size + own.length}`;
    return { row: part, caption: `${name}: ${keptOf(part)}` };
  });
}

function keptOf({ score, response, noise }: ScoredRow): string {
  const mean = (wanted: (t: number) => boolean) => {
    const values = score.filter((x, t) => response[t] && Number.isFinite(x) && wanted(t)) as number[];
    return values.length === 0 ? NaN : values.reduce((sum, x) => sum + x, 0) / values.length;
  };
  const all = mean(() => true);
  if (Number.isNaN(all)) return "nothing may be evicted";
  const [key, others] = [mean((t) => Boolean(noise?.[t])), mean((t) => !noise?.[t])];
  const split = Number.isNaN(key + others)
    ? ""
    : ` (${formatShare(key)} of the sentences that matter, ${formatShare(others)} of the rest)`;
  return `${formatShare(all)} of the entries that may be evicted are kept${split}`;
}
