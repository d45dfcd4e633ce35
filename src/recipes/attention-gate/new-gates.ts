import { makeBatch, splitMicroBatches } from "../../data/batches.ts";
import { measureInputs } from "../../eviction/gates/measure-inputs.ts";
import { createGates, type GateNetwork } from "../../eviction/gates/network.ts";
import type { Model } from "../../model/model.ts";
import { optional } from "../../system/optional.ts";
import type { GateArmOptions } from "./work.ts";

/** Training rows over which the inputs of gates are measured. */
const measuredRows = 256;

/** Fresh gates, with a word on their size. Those of keys and values are standardised by some of the training rows. */
export async function newGates(
  model: Model,
  { config, reporter, inputs: { tokens } }: GateArmOptions,
): Promise<GateNetwork> {
  const { kind, input, scope, heads, headSize, inner, initialKeep, learningRate, sinks, window, rows } = config.gates;
  const { seed, batchSize, microBatchSize = batchSize } = config.training;
  const given = { kind, input, seed, ...optional({ scope, heads, headSize, inner, initialKeep }) };
  const scale = config.training.learningRate === 0 ? 0 : learningRate / config.training.learningRate;
  const gates = await createGates(model, given, scale);
  const size = gates.parameters.reduce((sum, { variable }) => sum + variable.size, 0);
  reporter.note(`The gates have ${size} numbers to train.`);
  if (gates.constants.length === 0) return gates;
  try {
    const count = Math.min(measuredRows, tokens.length);
    const chosen = Array.from({ length: count }, (_, i) => Math.floor((i * tokens.length) / count)); // of all sources
    const parts = splitMicroBatches(tokens, chosen, microBatchSize);
    const batches = parts.map((part) => makeBatch(tokens, part));
    const measured = await measureInputs(model, gates, batches, { sinks, window, rows });
    reporter.note(`Keys and values were measured over ${measured} tokens of ${count} training rows.`);
    return gates;
  } catch (error) {
    gates.dispose();
    throw error;
  }
}
