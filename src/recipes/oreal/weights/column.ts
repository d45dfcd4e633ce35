import { columnOf } from "../batches.ts";
import type { WeightsOf } from "./source.ts";

/** A column of the replayed trajectories. */
export function columnSource(name: string): WeightsOf {
  return (rollouts, batches) => batches.map(({ batch }) => columnOf(rollouts, name, batch));
}
