import { evictionLoss, type EvictionLoss } from "../../eviction/eviction-loss.ts";
import { gatedPass } from "../../eviction/gates/gated-pass.ts";
import { distillObjective, gateObjective, joinCounts, trainedTokens } from "../../eviction/gates/gate-objective.ts";
import { optional } from "../../system/optional.ts";
import { explosionWatch, finiteWatch } from "../kit/watches.ts";
import type { AttentionGateConfig } from "./config-schema.ts";
import { evaluateLosses } from "./losses.ts";
import type { GateTraining, GateWork } from "./work.ts";

/**
 * Gates, or none for the control, under the loss of the tokens to be learnt, or the divergence from the model without
 * them (`distill`), and the eviction loss.
 */
export function endToEnd(work: GateWork): GateTraining {
  const { model, gates, gateOptions, config, gated, reporter } = work;
  const { sinks, window, rows } = config.gates;
  const { seed } = config.training;
  const loss = configuredLoss(config.eviction!); // of end-to-end and distill always there
  const distills = config.gates.objective === "distill";
  if (gated && loss.warning) reporter.note(loss.warning);
  return {
    objective: distills
      ? distillObjective(loss, { ...gateOptions, seed })
      : gateObjective(gates && loss, { ...gateOptions, seed }),
    trainee: model,
    pass(learner, batch, step) {
      const options = { ...gateOptions, sinks, window, rows, noise: { seed, step } };
      const teacher = distills ? { forwardKl: { reference: model } } : {}; // the model as it is: without gates
      return learner.forward(batch, gates && { ...teacher, attention: gatedPass(model, gates, options) });
    },
    numbersOf(batches, { loss, parts, metrics }) {
      const counts = joinCounts(metrics);
      const mean = (key: string): number => metrics.reduce((sum, part) => sum + part[key]!, 0) / metrics.length;
      const evicted = gates && {
        evictionLoss: parts["eviction"] ?? 0,
        ...{ target: mean("target"), keepShare: 1 - counts.evicted, keepProbability: mean("probability") },
        ...counts,
      };
      return {
        record: {
          loss,
          ...(distills ? { divergence: parts["distill"] ?? 0 } : { nll: parts["nll"] ?? 0 }),
          ...evicted,
        },
        trained: batches.reduce((sum, { batch }) => sum + trainedTokens(batch), 0),
        ...optional({ keptShare: evicted?.keepShare }),
      };
    },
    evaluate: (onProgress) => evaluateLosses(work, onProgress),
    watch: distills ? finiteWatch("loss") : explosionWatch("nll"),
  };
}

/** The eviction loss of a configuration. Throws a UserError for options that do not fit. */
export function configuredLoss(eviction: NonNullable<AttentionGateConfig["eviction"]>): EvictionLoss {
  return evictionLoss(JSON.parse(JSON.stringify(eviction)) as object); // without undefined values
}
