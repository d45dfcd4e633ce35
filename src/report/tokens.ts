import { optional } from "../system/optional.ts";
import type { Html } from "./html.ts";
import { type ScoredRow, type TokenWords, tokenPicture } from "./token-picture.ts";
import { type LegendMarks, tokenLegendHtml, tokenPictureHtml } from "./token-picture-html.ts";

/** A row to be drawn. */
export interface RowToDraw {
  readonly row: ScoredRow;
  /** Above it; default what was kept of the row. */
  readonly caption?: string;
  /** A line below that. */
  readonly about?: string;
  /** Tokens shown of its prompt; default as `tokenPicture`. */
  readonly mostPrompt?: number;
}

export interface PicturesOptions {
  /** Default 10 rows, and 700,000 characters. */
  readonly mostRows?: number;
  readonly mostMarkup?: number;
  readonly mostTokens?: number;
  /** See `tokenPicture`. */
  readonly range?: readonly [low: number, high: number];
  readonly words?: TokenWords;
  /** Whether a script of the page is to find the rows by their place. */
  readonly numbered?: boolean;
}

/** Pictures of rows with one legend, as many as there is room for. */
export interface Pictures {
  readonly legend: Html;
  readonly drawn: readonly Html[];
  /** Rows for which there was no room. */
  readonly leftOut: number;
  readonly has: LegendMarks;
  /** Characters of what is drawn. */
  readonly size: number;
}

/** Draws rows, at least one of which is given. */
export function picturesOf(
  rows: readonly RowToDraw[],
  { mostRows = 10, mostMarkup = 700_000, mostTokens = 500, range, words, numbered = false }: PicturesOptions = {},
): Pictures {
  const options = { mostTokens, longestPiece: 40, ...(range && { range }), ...(words && { words }) };
  const pictures = rows.slice(0, mostRows).map(({ row, caption, about, mostPrompt }) => {
    const own = mostPrompt === undefined ? options : { ...options, mostPrompt };
    return { picture: tokenPicture(row, own), caption, about };
  });
  let size = 0;
  const drawn: Html[] = [];
  for (const [index, { picture, caption, about }] of pictures.entries()) {
    const next = tokenPictureHtml(picture, { ...optional({ caption, about }), ...(numbered && { index }) });
    if (size + next.markup.length > mostMarkup) continue;
    size += next.markup.length;
    drawn.push(next);
  }
  const tokens = pictures.flatMap(({ picture }) => picture.tokens);
  const has = {
    scores: tokens.some(({ place }) => place !== undefined),
    noise: pictures.some(({ picture: { noise } }) => noise !== undefined && noise.tokens > 0),
    ...(words && { dropped: tokens.some(({ state }) => state === "dropped") }),
  };
  const legend = tokenLegendHtml(rows[0]!.row.scoreName, has, { ...(words && { words }), ...(range && { range }) });
  return { legend, drawn, leftOut: rows.length - drawn.length, has, size };
}
