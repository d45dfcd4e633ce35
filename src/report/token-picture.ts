import { visibleText, type TextPart } from "../system/visible-text.ts";

/** A row of tokens as a rule weighs them; lists are as long as `pieces`. */
export interface ScoredRow {
  readonly rowId: number;
  /** The text of each token. Untrusted: anything may be in it. */
  readonly pieces: readonly string[];
  /** 1 = may be trained. */
  readonly response: readonly number[];
  /** 0 = not trained. */
  readonly weights: readonly number[];
  /** Large = keep; null on tokens without a score. */
  readonly score: readonly (number | null)[];
  readonly scoreName: string;
  /** 1 = labelled as noise. */
  readonly noise?: readonly number[];
}

/** One token of a picture. */
export interface PicturedToken {
  /** Its text with everything invisible made visible. */
  readonly parts: readonly TextPart[];
  readonly state: "prompt" | "kept" | "dropped";
  /** Place of its score among the response's, 0 lowest to 1 highest; undefined without a score. */
  readonly place: number | undefined;
  readonly noise: boolean;
  /** What it counts; undefined on tokens that do not train, but for the prompt's where some of them do. */
  readonly weight?: number | undefined;
  readonly endsLine: boolean;
  /** Its numbers in words; empty for prompt tokens. */
  readonly title: string;
}

/** A row of tokens with score and weight, ready to be drawn as HTML or in a terminal. */
export interface TokenPicture {
  readonly rowId: number;
  readonly tokens: readonly PicturedToken[];
  /** Response tokens of the whole row, also of a part that is not shown. */
  readonly response: number;
  readonly kept: number;
  /** Noise tokens and how many of them are dropped; undefined without labels. */
  readonly noise: { readonly tokens: number; readonly dropped: number } | undefined;
  /** Tokens left out before and after the ones shown. */
  readonly before: number;
  readonly after: number;
}

/** What the marks of a picture mean. */
export interface TokenWords {
  readonly prompt: string;
  readonly kept: string;
  readonly dropped: string;
  readonly noise: string;
  /** Whether a token's numbers name its weight. */
  readonly weight: boolean;
}

/** The words for rows as a rule weighs them. */
export const ruleWords: TokenWords = {
  ...{ prompt: "prompt", kept: "kept", dropped: "dropped" },
  ...{ noise: "labelled noise", weight: true },
};

export interface PictureOptions {
  /** Tokens shown, from at most `mostPrompt` before the first response token on. Default 600 and 150. */
  readonly mostTokens?: number;
  readonly mostPrompt?: number;
  /** Characters shown of a token. Default 200. */
  readonly longestPiece?: number;
  /** What the palest and the strongest colour stand for. Default: colours go by rank. */
  readonly range?: readonly [low: number, high: number];
  readonly words?: TokenWords;
}

/**
 * The picture of one row. Unless a range is given, colours go by the rank of a score within the response, so that one
 * outlier does not pale the others; without scores they go by the weights where these differ among kept tokens.
 */
export function tokenPicture(
  row: ScoredRow,
  { mostTokens = 600, mostPrompt = 150, longestPiece = 200, range, words = ruleWords }: PictureOptions = {},
): TokenPicture {
  const { pieces, response, weights, noise } = row;
  const inResponse = pieces.map((_, t) => Boolean(response[t]));
  const values = shadedBy(row, inResponse);
  const places = range ? values.map((value) => placeIn(range, value)) : placesOf(values);
  const count = (test: (t: number) => boolean) => inResponse.filter((is, t) => is && test(t)).length;
  const scored = values.filter((value) => value !== undefined).length;
  const promptTrains = pieces.some((_, t) => !inResponse[t] && Boolean(weights[t]));

  const token = (piece: string, t: number): PicturedToken => {
    const state = !inResponse[t] ? "prompt" : weights[t] ? "kept" : "dropped";
    const isNoise = Boolean(inResponse[t] && noise?.[t]);
    const rank = places[t] === undefined || range ? undefined : scored - Math.round(places[t] * (scored - 1));
    return {
      parts: visibleText(piece, longestPiece),
      state,
      place: places[t],
      noise: isNoise,
      weight: state === "kept" || (state === "prompt" && promptTrains) ? weights[t] : undefined,
      endsLine: piece.includes("\n"),
      title: state === "prompt" ? "" : titleOf(row, t, { state, isNoise, rank, scored, words }),
    };
  };
  const first = Math.max(0, inResponse.indexOf(true) - mostPrompt);
  const tokens = pieces.slice(first, first + mostTokens).map((piece, i) => token(piece, first + i));
  return {
    rowId: row.rowId,
    tokens,
    response: count(() => true),
    kept: count((t) => Boolean(weights[t])),
    noise: noise && {
      tokens: count((t) => Boolean(noise[t])),
      dropped: count((t) => Boolean(noise[t]) && !weights[t]),
    },
    before: first,
    after: pieces.length - first - tokens.length,
  };
}

/** What the colours show of each token; undefined = nothing. */
function shadedBy({ pieces, score, weights }: ScoredRow, inResponse: readonly boolean[]): (number | undefined)[] {
  const finite = (value: number | null | undefined) => (Number.isFinite(value) ? value! : undefined);
  const scores = pieces.map((_, t) => (inResponse[t] ? finite(score[t]) : undefined));
  if (scores.some((value) => value !== undefined)) return scores;
  const kept = pieces.map((_, t) => (inResponse[t] && weights[t] ? finite(weights[t]) : undefined));
  return new Set(kept.filter((value) => value !== undefined)).size > 1 ? kept : kept.map(() => undefined);
}

function placeIn([low, high]: readonly [number, number], value: number | undefined): number | undefined {
  if (value === undefined) return undefined;
  return high > low ? Math.max(0, Math.min(1, (value - low) / (high - low))) : 0.5;
}

/** Rank of each value as a place in 0..1; equal values share the middle of their places. */
function placesOf(values: readonly (number | undefined)[]): (number | undefined)[] {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const middle = new Map<number, number>();
  for (let start = 0; start < sorted.length;) {
    let end = start;
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[start]) end++;
    middle.set(sorted[start]!, sorted.length > 1 ? (start + end) / 2 / (sorted.length - 1) : 0.5);
    start = end + 1;
  }
  return values.map((value) => (value === undefined ? undefined : middle.get(value)));
}

function titleOf(
  { score, scoreName, weights }: ScoredRow,
  t: number,
  about: { state: "kept" | "dropped"; isNoise: boolean; rank: number | undefined; scored: number; words: TokenWords },
): string {
  const { words } = about;
  const number = (value: number | null | undefined) =>
    Number.isFinite(value) ? String(Number(value!.toPrecision(4))) : "none";
  const rank = about.rank === undefined ? "" : ` (rank ${about.rank} of ${about.scored})`;
  return [
    `token ${t}, ${words[about.state]}`,
    `${scoreName} ${number(score[t])}${rank}`,
    ...(words.weight ? [`weight ${number(weights[t])}`] : []),
    ...(about.isNoise ? [words.noise] : []),
  ].join("; ");
}
