import type { Forward, ForwardSignals, Objective, TokenBatch } from "../contract/index.ts";
import { letEventsIn } from "../system/event-loop.ts";
import type { Learner, StepUpdate } from "./learner.ts";
import { hasGradient, lossGradient, partsOf, requireAnnounced, sumByName } from "./objective-loss.ts";

/** A micro-batch of an optimizer step with what its objective knows of it. */
export interface StepBatch<Aux> {
  readonly batch: TokenBatch;
  readonly aux: Aux;
  /** Opens its pass, which is disposed of after its second phase. Default: the learner's. */
  readonly pass?: () => Forward;
}

/** What an optimizer step came to. */
export interface StepOutcome extends StepUpdate {
  /** `sum / mass` of every term over the whole step, added up. */
  readonly loss: number;
  /** Each term's part of `loss`, by name. */
  readonly parts: Readonly<Record<string, number>>;
  /** The objective's metrics, one object per micro-batch. */
  readonly metrics: readonly Readonly<Record<string, number>>[];
}

/**
 * One optimizer step: forward, read, evaluate, backward over the micro-batches, then clip and update. Every term is
 * divided by its own mass over the whole step, so the split into micro-batches changes nothing. A step without any
 * gradient leaves the model, and the optimizer, as they are.
 *
 * @param step its number, from 0: decides the learning rate and an adapter's dropout
 * @throws UserError for numbers that are not finite
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 * import { alternatingPairs, dpo } from "tokensift/preference";
 * import { adamW, createLearner, optimizerStep, scoreLosses } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([
 *   { input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }, // chosen
 *   { input_ids: [5, 6, 9], response_mask: [0, 0, 1] }, // rejected
 * ]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0, 1]);
 * const reference = (await scoreLosses(model, batch)).map((nll) => -nll);
 * const aux = { pairs: alternatingPairs(1), reference };
 * const learner = createLearner(model, { optimizer: adamW(model.parameters), schedule: () => 1e-4 });
 * const { loss } = await optimizerStep(learner, 0, [{ batch, aux }], dpo());
 * loss; //=> 0.6931
 * releaseEngine();
 */
export async function optimizerStep<R extends keyof ForwardSignals, Aux>(
  learner: Learner,
  step: number,
  batches: readonly StepBatch<Aux>[],
  objective: Objective<R, Aux>,
): Promise<StepOutcome> {
  learner.startStep(step);
  try {
    const { moves, ...outcome } = await accumulate(learner, batches, objective);
    return { ...outcome, ...(moves ? await learner.update() : learner.skip()) };
  } finally {
    learner.skip(); // after an error, too
    await letEventsIn();
  }
}

/** Both phases of every micro-batch; nothing is updated. */
export async function accumulate<R extends keyof ForwardSignals, Aux>(
  learner: Pick<Learner, "forward">,
  batches: readonly StepBatch<Aux>[],
  objective: Objective<R, Aux>,
): Promise<Pick<StepOutcome, "loss" | "parts" | "metrics"> & { moves: boolean }> {
  const masses = sumByName(batches.map(({ batch, aux }) => objective.masses(batch, aux)));
  const parts: Record<string, number>[] = [];
  const found: Record<string, number>[] = [];
  const metrics: Readonly<Record<string, number>>[] = [];
  let moves = false;
  for (const { batch, aux, pass: open } of batches) {
    using pass = open ? open() : learner.forward(batch);
    const evaluated = objective.evaluate(await pass.read(objective.reads), batch, aux);
    metrics.push(evaluated.metrics);
    parts.push(partsOf(evaluated.terms, masses));
    found.push(Object.fromEntries(Object.entries(evaluated.terms).map(([name, { mass }]) => [name, mass])));
    const gradient = lossGradient(evaluated.terms, masses);
    moves ||= hasGradient(gradient);
    pass.backward(gradient);
  }
  requireAnnounced(sumByName(found), masses);
  const sums = sumByName(parts);
  return { loss: Object.values(sums).reduce((sum, part) => sum + part, 0), parts: sums, metrics, moves };
}
