import type { TokenizedRow } from "../text/index.ts";
import { alignedColumn } from "./align.ts";
import type { Row } from "./dataset.ts";

/**
 * A row's tokens with the weights of its column of weights: those of weight 0 do not train. A list that is as long as the
 * row counts for prompts that train, too.
 *
 * @param whole the response marks of the row before it was cut
 * @throws UserError for a list that has neither a number per token nor one per response token
 */
export function weighed(row: Row, tokens: TokenizedRow, whole: () => Uint8Array, where: () => string): TokenizedRow {
  if (row.weights === undefined) return tokens;
  const marks = whole();
  const column = alignedColumn("weights", row.weights, marks, where);
  const saysPrompt = row.weights.length === marks.length;
  const dataWeights = Float32Array.from(tokens.response, (mark, t) => {
    const own = tokens.dataWeights?.[t] ?? mark;
    return own === 0 || (mark === 0 && !saysPrompt) ? own : column[t]! * own;
  });
  const trains = (mark: number, t: number): number => (dataWeights[t] === 0 ? 0 : mark);
  return {
    ...tokens,
    dataWeights,
    response: tokens.response.map(trains),
    endOfTurn: tokens.endOfTurn.map(trains),
  };
}
