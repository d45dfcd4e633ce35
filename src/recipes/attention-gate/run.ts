import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AttentionGateConfig } from "./config-schema.ts";
import type { RunFolder } from "../../training/index.ts";
import { runArms, type PlannedArm, type RunOptions } from "../kit/run-arms.ts";
import type { CacheResult } from "./answers.ts";
import { gateSteps, openGateArm } from "./arm.ts";
import { answerFrozen } from "./frozen.ts";
import { cacheTable } from "./table.ts";
import type { GateArm } from "./work.ts";

/** Subfolder of the model that is trained the same without gates. */
export const controlName = "control";
const gatesName = "gates";

/**
 * Trains the gates in the output folder and the control in a subfolder; then answers over the gates' cache and over
 * those of the baselines, which keep as many entries.
 * @param runArm trains one opened arm to its end
 * @returns the main run's folder, and the table of all caches
 */
export async function runAttentionGate(
  options: RunOptions<AttentionGateConfig>,
  runArm: (arm: GateArm) => Promise<void>,
): Promise<{ path: string; table: string }> {
  const { config } = options;
  const planned = (name: string): PlannedArm<AttentionGateConfig> => ({
    name,
    config,
    steps: ({ tokens }) => gateSteps(config, tokens.length),
  });
  const results: CacheResult[] = [];
  const budget = (): number => results[0]?.kept ?? 1;
  let table = "";
  const path = await runArms(options, {
    main: planned(gatesName),
    others: () => (config.control ? [planned(controlName)] : []),
    open: (opening) =>
      opening.name === gatesName
        ? openGateArm({ ...opening, gated: true })
        : openGateArm({ ...opening, gated: false, budget: budget() }),
    run: runArm,
    completed: (_, run) => results.push(...answersOf(run)),
    async finish(main, materials) {
      if (!config.control && results.length > 0) results.push(...(await answerFrozen(options, materials, budget())));
      table = cacheTable(results);
      main.writeFile("results.json", `${JSON.stringify({ budget: budget(), caches: results }, null, 2)}\n`);
      main.writeFile("table.txt", table);
    },
  });
  return { path, table };
}

function answersOf(run: RunFolder): CacheResult[] {
  const text = readFileSync(join(run.path, "summary.json"), "utf8");
  return (JSON.parse(text) as { answers: CacheResult[] }).answers;
}
