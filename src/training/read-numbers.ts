import type { ForwardSignals, TokenBatch } from "../contract/index.ts";
import { forward } from "../model/forward.ts";
import type { Decoder } from "../model/decoder.ts";
import type { Learner } from "./learner.ts";

/** What a pass gives without being told more than its name. */
export type PlainSignal = "logProb" | "entropy" | "entropyTop20" | "concentration" | "score";

/**
 * Runs a batch for its numbers alone: no gradient, and the pass is closed again.
 *
 * @param from a learner, whose model is read as it is now, or a model
 * @returns by name, each `[rows * width]`
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { readNumbers } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0]);
 * const { logProb } = await readNumbers(model, batch, ["logProb"]);
 * logProb; //=> [0, 0, -1.444, -6.006]
 * releaseEngine();
 */
export async function readNumbers<K extends PlainSignal>(
  from: Decoder | Pick<Learner, "read">,
  batch: TokenBatch,
  names: readonly K[],
): Promise<Pick<ForwardSignals, K>> {
  const asked: readonly PlainSignal[] = names;
  const options = {
    ...(asked.includes("entropy") && { entropy: true }),
    ...(asked.includes("entropyTop20") && { entropyTop20: true }),
    ...(asked.includes("concentration") && { concentration: true }),
  };
  using pass = "read" in from ? from.read(batch, options) : forward(from, batch, { ...options, gradients: null });
  return await pass.read(names);
}
