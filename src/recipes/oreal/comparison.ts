import { readFileSync } from "node:fs";
import { join } from "node:path";
import { armConfig, mainArm } from "./config.ts";
import type { OrealConfig } from "./config-schema.ts";
import type { RunFolder } from "../../training/index.ts";
import { runArms, type PlannedArm, type RunOptions } from "../kit/run-arms.ts";
import { openOrealArm } from "./arm.ts";
import { replayedRun } from "./trajectories.ts";
import { resultTable, type ArmScores } from "./table.ts";
import type { OrealArm } from "./work.ts";

/**
 * Runs the configured objective in the output folder, then each of `compare` in a subfolder, with the same starting
 * model, questions and seed.
 * @param runArm runs one opened arm to its end
 * @returns the main run's folder, and the table of all arms
 */
export async function runOreal(
  options: RunOptions<OrealConfig>,
  runArm: (arm: OrealArm) => Promise<void>,
): Promise<{ path: string; table: string }> {
  const { config } = options;
  const { replay } = config.rollout;
  const first = mainArm(config);
  const planned = (arm: typeof first): PlannedArm<OrealConfig> => {
    const own = armConfig(config, arm);
    return { name: arm.name, config: { ...own, output: config.output }, steps: () => own.training.iterations };
  };
  const results: ArmScores[] = [];
  let table = "";
  const path = await runArms(options, {
    main: planned(first),
    others: () => config.compare.map(planned),
    open: (opening) => {
      const isMain = opening.name === first.name;
      const from = replay === undefined ? undefined : replayedRun(replay, isMain ? undefined : opening.name);
      return openOrealArm({ ...opening, replay: from });
    },
    run: runArm,
    completed: (name, run) => results.push(scoresOf(name, run)),
    finish(main) {
      table = resultTable(results);
      main.writeFile("results.json", `${JSON.stringify({ arms: results }, null, 2)}\n`);
      main.writeFile("table.txt", table);
    },
  });
  return { path, table };
}

function scoresOf(name: string, run: RunFolder): ArmScores {
  const text = readFileSync(join(run.path, "summary.json"), "utf8");
  const { start, end, steps, responses, seconds } = JSON.parse(text) as Omit<ArmScores, "name">;
  return { name, steps, responses, seconds, ...(start && { start }), ...(end && { end }) };
}
