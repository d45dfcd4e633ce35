import { armsOf, cdpoDefinition } from "./config.ts";
import type { CdpoConfig } from "./config-schema.ts";
import { gatherMaterials, stoppable, type ArmTalk, type Materials } from "../kit/index.ts";
import { objectivesOf, runCdpo, type CdpoRun } from "./index.ts";
import { memoryLines, requireMemory } from "../kit/memory.ts";
import { cdpoMemory } from "./memory.ts";
import { report, runCommandLine, say, startEngine } from "../kit/frame.ts";
import { createTalk } from "../kit/terminal-reporter.ts";

const recipe = {
  name: "cdpo",
  summary: "Aligns a model with pairs of its own answers, wrong tokens weighted by contrastive estimation: cDPO.",
  example: "configs/cdpo/quickstart.yaml",
};

/**
 * Runs the command line of `trainers/cdpo.ts`.
 * @param pipeline puts the stages together and asks for the report
 */
export async function runCdpoRecipe(pipeline: (run: CdpoRun) => Promise<void>): Promise<void> {
  await runCommandLine({
    ...recipe,
    definition: cdpoDefinition(),
    async dryRun(config, resolvedYaml) {
      dryRun(config, resolvedYaml, await gather(config, createTalk("dry run")));
    },
    async run(work) {
      const materials = async (): Promise<Materials> => {
        const gathered = await gather(work.config, stoppable(work.talkOf(recipe.name), work.interrupted));
        requireMemory(work.config, cdpoMemory(gathered), { engine: gathered.engine, allow: work.allowMemory });
        return gathered;
      };
      const { path, table } = await runCdpo({ ...work, materials }, pipeline);
      say(`\n${table}\n`);
      await report(async () => (await import("./report.ts")).writeCdpoReport, path, work.command);
    },
  });
}

async function gather(config: CdpoConfig, talk: ArmTalk): Promise<Materials> {
  // an objective that cannot be made fails here, not after hours of the stages before it
  await objectivesOf(config);
  const start = { model: config.model, data: config.data, training: { seed: config.seed } };
  return gatherMaterials(start, await startEngine(config, talk), talk);
}

function dryRun(config: CdpoConfig, resolvedYaml: string, materials: Materials): void {
  const { tokens, validation } = materials;
  const { sampling, contrast, align, evaluation, stages } = config;
  const taken = Object.entries(stages).map(([stage, path]) => `  ${stage}: ${path}`);
  say(
    [
      resolvedYaml.trimEnd(),
      "",
      `Questions: ${tokens.length}, held-out problems: ${Math.min(validation?.length ?? 0, evaluation.rows ?? Infinity)}`,
      `Responses to draw: ${tokens.length * sampling.samples}, of at most ${sampling.maxNewTokens} tokens`,
      `Contrasted models: rank ${contrast.adapter.rank}, ${lengthOf(contrast.training)}`,
      `Alignment: ${lengthOf(align.training)} of ${align.training.batchSize} pairs a step`,
      `Arms: ${armsOf(config)
        .map(({ name }) => name)
        .join(", ")}`,
      ...(taken.length > 0 ? ["Stages taken from files:", ...taken] : []),
      ...memoryLines(config, cdpoMemory(materials)),
      "Nothing was written to the run folder.",
      "",
    ].join("\n"),
  );
}

function lengthOf({ steps, epochs }: { steps?: number | undefined; epochs?: number | undefined }): string {
  return steps === undefined ? `${epochs} epochs` : `${steps} steps`;
}
