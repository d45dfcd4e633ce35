import type { ForwardSignals, TokenBatch } from "../contract/index.ts";
import { forward, type Decoder } from "../model/index.ts";
import type { Learner } from "./learner.ts";

/** What a pass gives without being told more than its name. */
export type PlainSignal = "logProb" | "entropy" | "entropyTop20" | "score";

/**
 * Runs a batch for its numbers alone: no gradient, and the pass is closed again.
 *
 * ```ts
 * const { logProb, entropy } = await readNumbers(learner, batch, ["logProb", "entropy"]);
 * ```
 *
 * @param from a learner, whose model is read as it is now, or a model
 * @returns by name, each `[rows * width]`
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
  };
  using pass = "read" in from ? from.read(batch, options) : forward(from, batch, { ...options, gradients: null });
  return await pass.read(names);
}
