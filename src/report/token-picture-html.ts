import { hex, ramps, rampSteps } from "./colors.ts";
import { formatNumber } from "./format.ts";
import { type Html, html } from "./html.ts";
import { keptOf, marksOf } from "./token-picture-words.ts";
import { type PicturedToken, ruleWords, type TokenPicture, type TokenWords } from "./token-picture.ts";

/**
 * A picture as HTML: a heading line and the tokens. Needs `tokenPictureStyle`.
 * @param options.caption the heading; default how many of the row's tokens are kept
 * @param options.about a line below it
 * @param options.index place of the row among those that a script of the page knows
 */
export function tokenPictureHtml(
  picture: TokenPicture,
  { caption = keptOf(picture), about, index }: { caption?: string; about?: string; index?: number } = {},
): Html {
  const { before, after } = picture;
  const line = about === undefined ? undefined : html`<p class="about">${about}</p>`;
  return html`<figure class="row" ${index === undefined ? undefined : html`data-row="${index}"`}>
    <figcaption>${caption}</figcaption>
    ${line}
    <div class="tokens">${leftOut(before, "before")}${picture.tokens.map(tokenHtml)}${leftOut(after, "after")}</div>
  </figure> `;
}

/** Which marks occur; `dropped` unless it says otherwise. */
export interface LegendMarks {
  readonly scores: boolean;
  readonly noise: boolean;
  readonly dropped?: boolean;
}

/** What the marks mean, drawn with the marks themselves; numbers at the ends of the scale where there is a range. */
export function tokenLegendHtml(
  scoreName: string,
  has: LegendMarks,
  { words = ruleWords, range }: { words?: TokenWords; range?: readonly [low: number, high: number] } = {},
): Html {
  const sample = (state: PicturedToken["state"], text: string, place?: number, noise = false) =>
    tokenHtml({ parts: [{ text, sign: false }], state, place, noise, endsLine: false, title: "" });
  const [low, high] = range ? range.map((end) => formatNumber(end, 3)) : ["low", "high"];
  const ramp = Array.from({ length: rampSteps }, (_, step) => html`<i class="s${step}"></i>`);
  return html`<div class="legend tokens">
    ${sample("prompt", words.prompt)}${sample("kept", words.kept, has.scores ? 0.85 : undefined)}${has.dropped === false ? undefined : sample("dropped", words.dropped, has.scores ? 0.15 : undefined)}
    ${has.noise ? sample("kept", words.noise, has.scores ? 0.5 : undefined, true) : undefined}
    ${has.scores ? html`<span class="scale">${scoreName}: ${low} ${ramp} ${high}</span>` : undefined}
  </div>`;
}

function tokenHtml(token: PicturedToken): Html {
  const { parts, state, noise, endsLine, title } = token;
  const text = parts.map((part) => (part.sign ? html`<i>${part.text}</i>` : html`${part.text}`));
  const inner = state === "dropped" ? html`<s>${text}</s>` : text;
  const marked = noise ? html`<u>${inner}</u>` : inner;
  const label = title === "" ? html`` : html` title="${title}"`;
  return html`<span class="${marksOf(token)}" ${label}>${marked}</span>${endsLine ? html`<b></b>` : undefined}`;
}

function leftOut(tokens: number, where: string): Html | undefined {
  return tokens > 0 ? html`<em>… ${formatNumber(tokens)} tokens ${where}</em>` : undefined;
}

const shades = (mode: "light" | "dark") =>
  ramps[mode].shades.map((color, step) => `.tokens .s${step}{background:${hex(color)}}`).join("\n");

/** The style sheet of token pictures, for light and dark pages. */
export const tokenPictureStyle = `
.tokens{display:flex;flex-wrap:wrap;gap:2px 1px;font:13px/1.45 ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;overflow:clip;overflow-clip-margin:3px}
.tokens span{padding:0 3px 3px;border-radius:2px;max-width:100%;overflow-wrap:anywhere;white-space:pre-wrap;unicode-bidi:isolate}
.tokens .p{color:var(--quiet)}
.tokens .s{color:${hex(ramps.light.text)};background:#eef0f2;box-shadow:inset 0 -1.5px 0 ${hex(ramps.light.text)}}
.tokens .d{box-shadow:none}
.tokens s{text-decoration:line-through 1px color-mix(in srgb,currentColor 65%,transparent)}
.tokens u{text-decoration:underline wavy #b3261e 1px;text-underline-offset:2px;text-decoration-skip-ink:none}
.tokens i{font-style:normal}
.tokens b{flex-basis:100%;height:0}
.tokens em{color:var(--quiet)}
.legend{align-items:center;gap:2px 6px}
.legend .scale{padding:0;white-space:nowrap;display:inline-flex;align-items:center;color:var(--quiet);font-family:var(--sans)}
.legend .scale i{width:14px;height:14px}
.legend .scale i:first-of-type{margin-left:5px}.legend .scale i:last-of-type{margin-right:5px}
${shades("light")}
@media screen and (prefers-color-scheme:dark){
.tokens .s{color:${hex(ramps.dark.text)};background:#2b2f36;box-shadow:inset 0 -1.5px 0 ${hex(ramps.dark.text)}}
.tokens .d{box-shadow:none}
.tokens u{text-decoration-color:#ff9a8f}
${shades("dark")}
}
`;
