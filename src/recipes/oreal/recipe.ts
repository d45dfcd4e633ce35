import { mainArm, orealDefinition } from "./config.ts";
import type { OrealArm as ArmChoice, OrealConfig } from "./config-schema.ts";
import { gatherMaterials, stoppable, type ArmTalk, type Materials } from "../kit/index.ts";
import { orealValues, runOreal, settingsOf, type OrealArm } from "./index.ts";
import { outcomeNotes } from "../../reward/index.ts";
import { report, runCommandLine, say, startEngine } from "../kit/frame.ts";
import { createTalk } from "../kit/terminal-reporter.ts";

const recipe = {
  name: "oreal",
  summary: "Trains a model on its own answers by outcome rewards: OREAL, beside other objectives for comparison.",
  example: "configs/oreal/quickstart.yaml",
};

/**
 * Runs the command line of `trainers/oreal.ts`.
 * @param runArm runs one arm of the comparison to its end
 */
export async function runOrealRecipe(runArm: (arm: OrealArm) => Promise<void>): Promise<void> {
  await runCommandLine({
    ...recipe,
    definition: orealDefinition(orealValues),
    async dryRun(config, resolvedYaml) {
      dryRun(config, resolvedYaml, await gather(config, createTalk("dry run")));
    },
    async run(work) {
      const materials = () => gather(work.config, stoppable(work.talkOf(recipe.name), work.interrupted));
      const { path, table } = await runOreal({ ...work, materials }, runArm);
      say(`\n${table}\n`);
      await report(async () => (await import("./report.ts")).writeOrealReport, path, work.command);
    },
  });
}

async function gather(config: OrealConfig, talk: ArmTalk): Promise<Materials> {
  return gatherMaterials(config, await startEngine(config, talk), talk);
}

function dryRun(config: OrealConfig, resolvedYaml: string, { tokens, validation }: Materials): void {
  const { rollout, verifier } = config;
  const arms = [mainArm(config), ...config.compare];
  const questions = Math.min(rollout.questionsPerStep, tokens.length);
  const described = ({ name, objective, iterations, policySteps, policyFreeze }: ArmChoice): string[] => [
    `  ${name}: ${iterations} iterations${policyFreeze ? `, ${policyFreeze} of them without the policy` : ""}`,
    ...outcomeNotes(settingsOf(objective, verifier.failed), policySteps).map((note) => `    ${note}`),
  ];
  say(
    [
      resolvedYaml.trimEnd(),
      "",
      `Questions: ${tokens.length}, held-out problems: ${validation?.length ?? "none"}`,
      `Each iteration: ${questions} questions x ${rollout.samples} responses of at most ${rollout.maxNewTokens} tokens`,
      "Runs:",
      ...arms.flatMap(described),
      "Nothing was written to the run folder.",
      "",
    ].join("\n"),
  );
}
