import { beginningIds } from "./prompt-response.ts";
import type { TokenizedRow } from "./token-row.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * A row whose text brings more than one beginning token: of those at its very beginning one is left, and none that
 * stands further on trains, as nothing but a text's beginning is followed by it. A token that ends texts as well, as
 * GPT-2's, is left as it is.
 */
export function withOneBeginning(tokenizer: Tokenizer, row: TokenizedRow): TokenizedRow | { skipped: string } {
  const beginning = beginningId(tokenizer);
  if (beginning === undefined || row.ids.indexOf(beginning, 1) < 0) return row;
  let repeated = 0;
  while (row.ids[repeated] === beginning && row.ids[repeated + 1] === beginning) repeated++;
  const { dataWeights, remarks = [], ...rest } = row;
  const ids = row.ids.slice(repeated);
  // the row's first token keeps what it counts, which nothing predicts
  const counts = (value: number, t: number): number => (ids[t] === beginning && (t > 0 || repeated > 0) ? 0 : value);
  const response = row.response.slice(repeated).map(counts);
  if (!response.includes(1)) return { skipped: "no response" };
  const isInside = ids.includes(beginning, 1);
  const all = isInside ? [...remarks, insideRemark(tokenizer.piece(beginning))] : remarks;
  return {
    ...rest,
    ids,
    response,
    endOfTurn: row.endOfTurn.slice(repeated).map(counts),
    ...(dataWeights && { dataWeights: dataWeights.slice(repeated).map(counts) }),
    ...(all.length > 0 && { remarks: all }),
  };
}

function insideRemark(token: string): string {
  return `the beginning token ${token} stands inside of a text as well, where it does not train`;
}

function beginningId(tokenizer: Tokenizer): number | undefined {
  const [id, ...more] = beginningIds(tokenizer);
  const isOwn = id !== undefined && more.length === 0 && !(tokenizer.endOfText ?? []).includes(id);
  return isOwn ? id : undefined;
}
