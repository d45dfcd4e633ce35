import type { TokenizedDataset } from "./tokenized.ts";

/** A row's last response, and all tokens before it. */
export function lastTurn(tokens: TokenizedDataset, index: number): { prompt: number[]; response: number[] } {
  const { ids, response } = tokens.row(index);
  const end = response.lastIndexOf(1) + 1;
  let start = end;
  while (start > 0 && response[start - 1] === 1) start--;
  return { prompt: [...ids.subarray(0, start)], response: [...ids.subarray(start, end)] };
}
