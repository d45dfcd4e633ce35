import type { TokenizedDataset } from "../../src/data/index.ts";
import {
  newTrainingState,
  train,
  type StepRecord,
  type TrainingState,
  type TrainOptions,
} from "../../src/training/index.ts";
import { openModel } from "./reference.ts";

/** The records of all steps that are left. */
export async function collect(state: TrainingState, options: TrainOptions): Promise<StepRecord[]> {
  const records: StepRecord[] = [];
  for await (const record of train(state, options)) records.push(record);
  return records;
}

/** Runs `use` with a fresh state of the fixture's tied model, and frees it. */
export async function withState<T>(
  tokens: TokenizedDataset,
  use: (state: TrainingState) => Promise<T>,
  options: Parameters<typeof newTrainingState>[2] = {},
): Promise<T> {
  const model = await openModel("tied");
  const state = newTrainingState(model, tokens, options);
  try {
    return await use(state);
  } finally {
    state.optimizer.dispose();
    model.dispose();
  }
}
