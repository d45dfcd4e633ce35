import type { Entry, TokenRule } from "../../src/contract/index.ts";
import * as selection from "../../src/selection/index.ts";
import { context, makeTokens } from "../selection/tokens.ts";

export const names = Object.keys(selection);

/** Weights that every rule of the catalogue gives to three rows. */
export function numbers(): number[] {
  const tokens = makeTokens(["PPrrrre", "PPPrre ", "Prrrrrre"]);
  const entries: readonly Entry<TokenRule>[] = selection.rules.entries;
  return entries.flatMap(({ create }) => [...create({}).weigh(tokens, context())]);
}
