import type { Decoder } from "../../model/decoder.ts";
import type { Model } from "../../model/model.ts";
import { readNumbers } from "../../training/read-numbers.ts";
import { klToReference } from "../kit/distance.ts";
import { drawResponses, responseBatch, splitResponses, type Question } from "../kit/responses/index.ts";
import type { CdpoConfig } from "./config-schema.ts";
import type { ScoredPair } from "./files.ts";

/** Measures KL(model || reference), nats per token. */
export type MeasureKl = (model: Model, reference: Decoder) => Promise<number>;

/**
 * Makes what measures how far a model is from the one before training: on answers that it draws to questions of some of
 * the pairs, spread over all of them. All measurements draw by the same random numbers.
 */
export function klMeasure(
  { align, sampling, training }: Pick<CdpoConfig, "align" | "sampling" | "training">,
  pairs: readonly ScoredPair[],
): MeasureKl {
  const { answers, maxNewTokens } = align.kl!;
  const count = Math.min(answers, pairs.length);
  const questions = Array.from({ length: count }, (_, k): Question => {
    const { question, chosen } = pairs[Math.floor((k * pairs.length) / count)]!;
    return { rowId: question, prompt: chosen.prompt, reference: "" };
  });
  const rowsAtOnce = 2 * (align.training.microBatchSize ?? align.training.batchSize);
  return async (model, reference) => {
    const drawn = await drawResponses(model, questions, {
      ...{ samples: 1, temperature: 1, maxNewTokens, batchSize: sampling.batchSize, seed: training.seed },
    });
    const compared = [];
    for (const rows of splitResponses(drawn, rowsAtOnce)) {
      const batch = responseBatch(rows.map((row) => drawn[row]!));
      const { logProb } = await readNumbers(model, batch, ["logProb"]);
      const { logProb: referenceLogProb } = await readNumbers(reference, batch, ["logProb"]);
      compared.push({ batch, logProb, aux: { referenceLogProb } });
    }
    return klToReference(compared);
  };
}
