import {
  arrayStore,
  arraysOf,
  tokenizedDataset,
  type TokenArrays,
  type TokenizedDataset,
  type TokenizedStats,
} from "../../src/data/tokenized.ts";

/** A dataset, and all its rows end to end. */
export type FlatTokens = TokenizedDataset & TokenArrays;

export function flat(tokens: TokenizedDataset): FlatTokens {
  return { ...tokens, ...arraysOf(tokens) };
}

/** A dataset of the rows that stand end to end in arrays. */
export function flatDataset(
  arrays: TokenArrays & { readonly stats: TokenizedStats; readonly fingerprint: string },
): FlatTokens {
  const largestId = arrays.ids.reduce((a, b) => Math.max(a, b), 0);
  return { ...tokenizedDataset({ ...arrays, largestId, store: arrayStore(arrays) }), ...arrays };
}
