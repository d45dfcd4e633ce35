// A thread that tokenizes batches of rows; see row-helpers.ts, which starts it.
import { parentPort, workerData } from "node:worker_threads";
import { tokenizerFrom, type TokenizerOrigin } from "../text/tokenizer.ts";
import { packResults, tokenizeBatch, type RowText, type SentOptions } from "./row-batch.ts";

const { origin, options } = workerData as { origin: TokenizerOrigin; options: SentOptions };
const tokenizer = tokenizerFrom(origin);

parentPort!.on("message", (rows: readonly RowText[]) => {
  const packed = packResults(tokenizeBatch(rows, tokenizer, options));
  parentPort!.postMessage(packed, [packed.ids.buffer, packed.response.buffer, packed.endOfTurn.buffer]);
});
parentPort!.postMessage("ready");
