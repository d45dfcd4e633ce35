import { type ColorLevel, cubeIndex, rampStep, ramps, type Rgb } from "./colors.ts";
import { formatShare } from "./format.ts";
import type { PicturedToken, TokenPicture } from "./token-picture.ts";
import { displayWidth } from "../system/visible-text.ts";

export interface TerminalPictureOptions {
  /** See `colorLevel`. */
  readonly colors: ColorLevel;
  /** Columns; lines break between tokens. Default 80. */
  readonly width?: number;
  /** Whether what tokens count stands before them, as in ×0.5, where it changes; at the beginning it is 1. */
  readonly weights?: boolean;
}

/**
 * A picture as text for a terminal, one or more lines, each ended by a newline. The marks are the same with and without
 * colours: `[dropped]`, `noise~`, and `‹prompt›` around each stretch of prompt tokens.
 */
export function tokenPictureText(
  picture: TokenPicture,
  { colors, width = 80, weights = false }: TerminalPictureOptions,
): string {
  const { rowId, response, kept, noise } = picture;
  const share = response > 0 ? ` (${formatShare(kept / response)})` : "";
  const grade = noise && noise.tokens > 0 ? `; ${noise.dropped} of ${noise.tokens} noise tokens dropped` : "";
  const heading = `row ${rowId}: ${kept} of ${response} response tokens kept${share}${grade}`;
  let text = `${colors === "none" ? heading : `\x1b[1m${heading}\x1b[22m`}\n`;
  let column = 0;
  const put = (shown: string, styled: string) => {
    const columns = displayWidth(shown);
    if (column > 0 && column + 1 + columns > width) {
      text += "\n";
      column = 0;
    }
    text += column > 0 ? ` ${styled}` : styled;
    column += columns + (column > 0 ? 1 : 0);
  };
  const aside = (note: string) => put(note, styledText(note, colors, [2], [22]));
  if (picture.before > 0) aside(`… ${picture.before} tokens before`);
  let counted = 1;
  for (const [i, token] of picture.tokens.entries()) {
    if (weights && token.weight !== undefined && token.weight !== counted) {
      counted = token.weight;
      aside(`×${Number(counted.toPrecision(4))}`);
    }
    const shown = marked(token, picture.tokens[i - 1]?.state, picture.tokens[i + 1]?.state);
    put(shown, styledText(shown, colors, ...codes(token, colors)));
    if (!token.endsLine) continue;
    text += "\n";
    column = 0;
  }
  if (picture.after > 0) aside(`… ${picture.after} tokens after`);
  return column > 0 ? `${text}\n` : text;
}

/**
 * One line that explains the marks.
 * @param scoreName what shades stand for; undefined where no token is shaded
 */
export function tokenLegendText(scoreName: string | undefined, colors: ColorLevel): string {
  if (colors === "none") return "‹prompt›  kept  [dropped]  noise~\n";
  const marks = (["‹prompt›", "kept", "[dropped]", "noise~"] as const)
    .map((mark, i) => styledText(mark, colors, ...(legendCodes[i] ?? [[], []])))
    .join("  ");
  if (scoreName === undefined) return `${marks}\n`;
  const ramp = ramps.light.shades.map((shade) => styledText(" ", colors, [background(shade, colors)], [49])).join("");
  return `${marks}  ${scoreName}: low ${ramp} high\n`;
}

function marked(
  token: PicturedToken,
  previous: PicturedToken["state"] | undefined,
  next: PicturedToken["state"] | undefined,
): string {
  const text = token.parts.map((part) => part.text).join("");
  if (token.state === "prompt") return `${previous === "prompt" ? "" : "‹"}${text}${next === "prompt" ? "" : "›"}`;
  const noisy = token.noise ? `${text}~` : text;
  return token.state === "dropped" ? `[${noisy}]` : noisy;
}

type Codes = readonly (number | string)[];

/** Of prompt, kept, dropped and noise. */
const legendCodes: readonly [on: Codes, off: Codes][] = [
  [[2], [22]],
  [[32], [39]],
  [[9], [29]],
  [[4], [24]],
];

/** Codes that turn a token's style on and off. */
function codes({ state, place, noise }: PicturedToken, colors: ColorLevel): [on: Codes, off: Codes] {
  if (state === "prompt") return [[2], [22]];
  const shade = ramps.light.shades[rampStep(place ?? 0)]!;
  const plain = state === "kept" ? [32] : [];
  const shaded = place === undefined ? plain : [foreground(ramps.light.text, colors), background(shade, colors)];
  return [
    [...shaded, ...(state === "dropped" ? [9] : []), ...(noise ? [4] : [])],
    [
      ...(place !== undefined ? [39, 49] : state === "kept" ? [39] : []),
      ...(state === "dropped" ? [29] : []),
      ...(noise ? [24] : []),
    ],
  ];
}

function styledText(text: string, colors: ColorLevel, on: Codes, off: Codes): string {
  return colors === "none" || on.length === 0 ? text : `\x1b[${on.join(";")}m${text}\x1b[${off.join(";")}m`;
}

const foreground = (color: Rgb, colors: ColorLevel) => `38;${paint(color, colors)}`;
const background = (color: Rgb, colors: ColorLevel) => `48;${paint(color, colors)}`;
const paint = (color: Rgb, colors: ColorLevel) =>
  colors === "truecolor" ? `2;${color.join(";")}` : `5;${cubeIndex(color)}`;
