import type { TokenBatch } from "../../../contract/index.ts";
import type { Drawn } from "./draw.ts";

/** Prompt and response in one row; a response's ids are learnt as they were drawn, never from decoded text. */
type Text = Pick<Drawn, "prompt" | "ids" | "finished">;

/**
 * A right-padded batch of responses behind their prompts; the response alone may be trained.
 * @param rowIds names of the rows; default 0, 1, ...
 */
export function responseBatch(responses: readonly Text[], rowIds?: readonly number[]): TokenBatch {
  const rows = responses.length;
  const lengths = Int32Array.from(responses, ({ prompt, ids }) => prompt.length + ids.length);
  const width = lengths.reduce((widest, length) => Math.max(widest, length), 0);
  const batch = {
    rows,
    width,
    rowIds: Float64Array.from(rowIds ?? responses.keys()),
    lengths,
    ids: new Int32Array(rows * width),
    response: new Uint8Array(rows * width),
    endOfTurn: new Uint8Array(rows * width),
    columns: {},
  };
  responses.forEach(({ prompt, ids, finished }, row) => {
    const start = row * width;
    batch.ids.set(prompt, start);
    batch.ids.set(ids, start + prompt.length);
    batch.response.fill(1, start + prompt.length, start + lengths[row]!);
    if (finished) batch.endOfTurn[start + lengths[row]! - 1] = 1;
  });
  return batch;
}

/** Indices of responses in groups of at most `rowsAtOnce` of similar length, shortest first. */
export function splitResponses(responses: readonly Text[], rowsAtOnce: number): number[][] {
  const length = ({ prompt, ids }: Text): number => prompt.length + ids.length;
  const sorted = [...responses.keys()].sort((a, b) => length(responses[a]!) - length(responses[b]!));
  return Array.from({ length: Math.ceil(sorted.length / rowsAtOnce) }, (_, i) =>
    sorted.slice(i * rowsAtOnce, (i + 1) * rowsAtOnce),
  );
}
