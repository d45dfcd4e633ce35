import { finetuneDefinition, ruleLabel } from "./config.ts";
import type { FinetuneConfig } from "./config-schema.ts";
import { gatherMaterials, stoppable, type ArmTalk, type Materials } from "../kit/index.ts";
import { estimateRunMemory } from "./memory.ts";
import { ruleOf, stepsOf } from "./rules.ts";
import { runComparison } from "./comparison.ts";
import type { Arm } from "./arm.ts";
import { knownRules } from "./known-rules.ts";
import { memoryOfProcess } from "../../system/process-memory.ts";
import { report, runCommandLine, say, startEngine } from "../kit/frame.ts";
import { createTalk } from "../kit/terminal-reporter.ts";

export interface Recipe {
  /** Its file in `trainers/`, without the ending. */
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** A configuration of it that ships, from the package's folder. */
  readonly example: string;
  /** The rule when the configuration names none. */
  readonly method: string;
}

/**
 * Runs the command line of a fine-tuning recipe.
 * @param runArm trains one arm of the comparison to its end
 */
export async function runRecipe(recipe: Recipe, runArm: (arm: Arm) => Promise<void>): Promise<void> {
  await runCommandLine({
    ...recipe,
    definition: finetuneDefinition(knownRules, { method: recipe.method }),
    async dryRun(config, resolvedYaml) {
      dryRun(config, resolvedYaml, await gather(config, createTalk("dry run")));
    },
    async run(work) {
      const label = ruleLabel(work.config.selection.method);
      const materials = () => gather(work.config, stoppable(work.talkOf(label), work.interrupted));
      const path = await runComparison({ ...work, materials }, runArm);
      await report(async () => (await import("./report.ts")).writeReport, path, work.command);
    },
  });
}

async function gather(config: FinetuneConfig, talk: ArmTalk): Promise<Materials> {
  // an arm whose rule cannot be made fails here, not after hours of the arms before it
  for (const { selection } of [config, ...config.compare]) await ruleOf(selection, config);
  return gatherMaterials(config, await startEngine(config, talk), talk);
}

function dryRun(config: FinetuneConfig, resolvedYaml: string, { tokens, validation, shape }: Materials): void {
  const memory = estimateRunMemory(config, shape, tokens);
  const room = memoryOfProcess();
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;
  const { stats } = tokens;
  const { batchSize } = config.training;
  const steps = stepsOf(config, tokens);
  const share = ((100 * stats.responseTokens) / stats.tokens).toFixed(1);
  const epochs = ((steps * batchSize) / tokens.length).toPrecision(3);
  const held = validation === undefined ? "none" : `${validation.length} rows, ${validation.stats.tokens} tokens`;
  say(
    [
      resolvedYaml.trimEnd(),
      "",
      `Training rows: ${tokens.length} of ${stats.rows}, ${stats.tokens} tokens, ${share} % of them response`,
      `Held-out rows: ${held}`,
      `Steps: ${steps} of ${batchSize} rows, ${epochs} epochs`,
      `Runs: ${[ruleLabel(config.selection.method), ...config.compare.map(({ name }) => name)].join(", ")}`,
      `Memory: about ${gigabytes(memory.peak)} on the cpu engine; weights ${gigabytes(memory.weights)}, ` +
        `moments ${gigabytes(memory.moments)}, gradients ${gigabytes(memory.gradients)}, ` +
        `activations ${gigabytes(memory.activations)}`,
      ...(memory.peak > room ? [`That is more than the ${gigabytes(room)} that this process can have.`] : []),
      "Nothing was written to the run folder.",
      "",
    ].join("\n"),
  );
}
