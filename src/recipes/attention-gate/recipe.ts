import { attentionGateDefinition } from "./config.ts";
import type { AttentionGateConfig } from "./config-schema.ts";
import { gatherMaterials, stoppable, type ArmTalk, type Materials } from "../kit/index.ts";
import { gateSteps, runAttentionGate, type GateArm } from "./index.ts";
import { evictionLoss } from "../../eviction/index.ts";
import { report, runCommandLine, say, startEngine } from "../kit/frame.ts";
import { createTalk } from "../kit/terminal-reporter.ts";

const recipe = {
  name: "attention-gate",
  summary: "Trains gates that evict tokens from the key-value cache, beside published evictions of equal budget.",
  example: "configs/attention-gate/quickstart.yaml",
};

/**
 * Runs the command line of `trainers/attention-gate.ts`.
 * @param runArm trains one arm to its end
 */
export async function runAttentionGateRecipe(runArm: (arm: GateArm) => Promise<void>): Promise<void> {
  await runCommandLine({
    ...recipe,
    definition: attentionGateDefinition(),
    async dryRun(config, resolvedYaml) {
      dryRun(config, resolvedYaml, await gather(config, createTalk("dry run")));
    },
    async run(work) {
      const materials = () => gather(work.config, stoppable(work.talkOf(recipe.name), work.interrupted));
      const { path, table } = await runAttentionGate({ ...work, materials }, runArm);
      say(`\n${table}\n`);
      await report(async () => (await import("./report.ts")).writeGateReport, path, work.command);
    },
  });
}

async function gather(config: AttentionGateConfig, talk: ArmTalk): Promise<Materials> {
  evictionLoss(JSON.parse(JSON.stringify(config.eviction)) as object); // impossible options end here, not in an arm
  return gatherMaterials(config, await startEngine(config, talk), talk);
}

function dryRun(config: AttentionGateConfig, resolvedYaml: string, { tokens, validation }: Materials): void {
  const { training, evaluation, control, gates } = config;
  const answers = gates.rows === "prompts" && validation !== undefined;
  say(
    [
      resolvedYaml.trimEnd(),
      "",
      `Training rows: ${tokens.length}, held-out rows: ${validation?.length ?? "none"}`,
      `Steps: ${gateSteps(config, tokens.length)} of ${training.batchSize} rows`,
      `Runs: ${control ? "with gates, then without" : "with gates"}`,
      `Answers: ${answers ? `over the gates' cache, all entries, ${evaluation.baselines.join(", ")}` : "none"}`,
      "Nothing was written to the run folder.",
      "",
    ].join("\n"),
  );
}
