import type { TokenizedRow } from "../text/index.ts";
import { alignedColumn } from "./align.ts";
import type { Row } from "./dataset.ts";

/**
 * A row's tokens with the weights of its column of weights: those of weight 0 do not train.
 *
 * @param whole the response marks of the row before it was cut
 * @throws UserError for a list that has neither a number per token nor one per response token
 */
export function weighed(row: Row, tokens: TokenizedRow, whole: () => Uint8Array, where: () => string): TokenizedRow {
  if (row.weights === undefined) return tokens;
  const column = alignedColumn("weights", row.weights, whole(), where);
  const dataWeights = Float32Array.from(tokens.response, (mark, t) =>
    mark === 0 ? 0 : column[t]! * (tokens.dataWeights?.[t] ?? 1),
  );
  const trains = (mark: number, t: number): number => (dataWeights[t] === 0 ? 0 : mark);
  return {
    ...tokens,
    dataWeights,
    response: tokens.response.map(trains),
    endOfTurn: tokens.endOfTurn.map(trains),
  };
}
