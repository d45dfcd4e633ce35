import { ruleLabel } from "./config.ts";
import type { FinetuneConfig } from "./config-schema.ts";
import { openArm, type Arm } from "./arm.ts";
import { runArms, type PlannedArm, type RunOptions } from "../kit/arms.ts";
import { stepsOf } from "./rules.ts";

/**
 * Runs the configured rule in the output folder, then each rule of `compare` in a subfolder.
 * @param runArm trains one opened arm to its end
 * @returns the main run's folder
 */
export function runComparison(
  options: RunOptions<FinetuneConfig>,
  runArm: (arm: Arm) => Promise<void>,
): Promise<string> {
  const { config } = options;
  const planned = (name: string, own: FinetuneConfig): PlannedArm<FinetuneConfig> => ({
    name,
    config: own,
    steps: ({ tokens }) => stepsOf(own, tokens),
  });
  return runArms(options, {
    main: planned(ruleLabel(config.selection.method), config),
    others: () => config.compare.map(({ name, selection }) => planned(name, { ...config, selection, compare: [] })),
    open: openArm,
    run: runArm,
  });
}
