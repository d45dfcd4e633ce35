import { makeBatch, splitMicroBatches } from "../../data/batches.ts";
import { futureObjective } from "../../eviction/gates/future-objective.ts";
import { futurePass } from "../../eviction/gates/future-pass.ts";
import type { GateNetwork } from "../../eviction/gates/network.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import { finiteWatch } from "../kit/watches.ts";
import { gatedShape, type GateTraining, type GateWork } from "./work.ts";

/** What the gates do not foresee yet of the held-out rows. */
export interface FutureLosses {
  readonly rows: number;
  /** Of the gates' objective, in nats. */
  readonly loss: number;
  /** The same less the target's entropy: 0 where the gates know all. */
  readonly divergence: number;
  /** Numbers of the rows in the data. */
  readonly rowIds: readonly number[];
}

/** Gates that learn what later queries attend to, of a model that stays as it is. */
export function future(work: GateWork & { readonly gates: GateNetwork }): GateTraining {
  const { model, gates, config } = work;
  const { sinks, window, rows, target } = config.gates;
  const options = { sinks, window, rows, target: target! };
  const objective = futureObjective(options);
  return {
    objective,
    trainee: {
      pass: (batch, gradients) => futurePass(model, gates, batch, { ...options, gradients }),
      startStep: () => undefined, // nothing of the model is drawn at random
    },
    pass: (learner, batch) => learner.forward(batch),
    numbersOf(batches, { loss, metrics }) {
      const taught = batches.reduce((sum, { batch, aux }) => sum + objective.masses(batch, aux)["future"]!, 0);
      const divergence = metrics.reduce((sum, part) => sum + part["divergence"]!, 0) / Math.max(1, taught);
      const trained = batches.reduce((sum, { aux }) => sum + aux.shape.evictable.reduce((a, b) => a + b, 0), 0);
      return { record: { loss, divergence }, trained };
    },
    async evaluate(onProgress): Promise<FutureLosses | undefined> {
      const held = work.inputs.validation;
      if (held === undefined) return undefined;
      const { rows: most = Infinity, batchSize } = config.evaluation;
      const indices = Array.from({ length: Math.min(held.length, most) }, (_, i) => i);
      const sums = { loss: 0, divergence: 0, mass: 0, done: 0 };
      for (const part of splitMicroBatches(held, indices, batchSize)) {
        const batch = makeBatch(held, part);
        using pass = futurePass(model, gates, batch, { ...options, gradients: null });
        const aux = { shape: gatedShape(work, batch) };
        const { terms, metrics } = objective.evaluate(await pass.read(objective.reads), batch, aux);
        sums.loss += terms["future"]!.sum;
        sums.mass += terms["future"]!.mass;
        sums.divergence += metrics["divergence"]!;
        onProgress((sums.done += part.length), indices.length);
        await letEventsIn();
      }
      const mean = (sum: number): number => sum / Math.max(1, sums.mass);
      return {
        ...{ rows: indices.length, loss: mean(sums.loss), divergence: mean(sums.divergence) },
        rowIds: indices.map((index) => held.rowIds[index]!),
      };
    },
    watch: finiteWatch("loss"),
  };
}
