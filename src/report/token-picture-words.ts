import { rampStep } from "./colors.ts";
import { formatNumber, formatShare } from "./format.ts";
import type { PicturedToken, TokenPicture } from "./token-picture.ts";

/** How many of a row's tokens are kept, in words. */
export function keptOf({ rowId, response, kept, noise }: TokenPicture): string {
  const grade = noise && noise.tokens > 0 ? `; ${noise.dropped} of ${noise.tokens} noise tokens dropped` : "";
  const share = response > 0 ? ` (${formatShare(kept / response)})` : "";
  return `Row ${formatNumber(rowId)}: ${kept} of ${response} response tokens kept${share}${grade}`;
}

/** The classes of a token's element; what they mean is `tokenPictureStyle`. */
export function marksOf({ state, place }: PicturedToken): string {
  const shade = state === "prompt" ? "p" : place === undefined ? "s" : `s s${rampStep(place)}`;
  return state === "dropped" ? `${shade} d` : shade;
}
