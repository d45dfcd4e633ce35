import { existsSync } from "node:fs";
import { join } from "node:path";
import type { MethodChoice } from "../../config/method-choice.ts";
import { optionLines } from "../../config/resolved-options.ts";
import { protocolNameOf, type ServerConfig } from "../../config/server-group.ts";
import { rewards as rewardCatalogue } from "../../reward/catalogue.ts";
import { adapterFiles } from "../../model/adapters/peft.ts";
import { outcomeNotes } from "../../reward/outcome-presets.ts";
import { readArm } from "../../report/read-arm.ts";
import { openArms, type ArmRun, type PlannedArm } from "../kit/arms.ts";
import { evaluatedRows } from "../kit/finding.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { checkMetric } from "../kit/own-metric.ts";
import { defineRecipe } from "../kit/recipe.ts";
import { listedPlaces } from "../kit/pictured-rows.ts";
import { oreal } from "./about.ts";
import { openArm, type OrealArm } from "./arm.ts";
import { armConfig, mainArm, readsInitial } from "./arm-config.ts";
import { orealDefinition } from "./config.ts";
import type { OrealArm as ArmChoice, OrealConfig } from "./config-schema.ts";
import { passRateFiles } from "./pass-rates.ts";
import { orealMemory } from "./memory.ts";
import { orealValues, settingsOf } from "./objective.ts";
import { orealResults, resultRow, startName, startRow } from "./results.ts";
import { checkWeights } from "./weights/open.ts";
import { checkRewards, rewardNames } from "./rewards.ts";
import { replayedRun } from "./trajectories.ts";

/** A run of OREAL: the configured objective, then each of `compare`, with the same model, questions and seed. */
export type OrealRun = ArmRun<OrealArm>;

/**
 * Learning from whether a final answer is right (OREAL, https://arxiv.org/abs/2502.06781).
 */
export const orealRecipe = defineRecipe<OrealConfig, OrealRun>({
  ...oreal,
  config: orealDefinition(orealValues),
  start: (config) => config,
  async check(config) {
    await checkMetric(config.evaluation);
    for (const { rewards, objective } of [config, ...config.compare]) {
      await checkRewards(rewards);
      await checkWeights(objective.weights, readsInitial(objective));
    }
  },
  readsFiles({ sampling: { passRates }, objective: { weights } }) {
    const paths = passRates === undefined || !existsSync(passRates.from) ? [] : passRateFiles(passRates.from);
    const rates = paths.map((path) => ({ key: "sampling.passRates.from", path }));
    if (weights.source !== "critical") return rates;
    const adapter = (which: "positive" | "negative") =>
      adapterFiles.map((name) => ({ key: `objective.weights.${which}`, path: join(weights[which], name) }));
    return [...rates, ...adapter("positive"), ...adapter("negative")];
  },
  plan,
  memory: orealMemory,
  open(work) {
    const { config } = work;
    const main = mainArm(config);
    const choices = [main, ...config.compare];
    const planned = (arm: ArmChoice): PlannedArm<OrealConfig> => {
      const own = armConfig(config, arm);
      return { name: arm.name, config: own, steps: () => own.training.iterations };
    };
    const { replay } = config.sampling;
    return openArms<OrealConfig, OrealArm>(work, {
      main: planned(main),
      others: config.compare.map(planned),
      open(opening) {
        const own = opening.name === main.name ? undefined : opening.name;
        return openArm({ ...opening, replay: replay === undefined ? undefined : replayedRun(replay, own) });
      },
      rows(name, run) {
        const arm = readArm(run.path, { name });
        const objective = { ...choices.find((choice) => choice.name === name)?.objective };
        return [...(name === main.name ? [startRow(arm)] : []), resultRow(arm, objective)];
      },
      heldOut: (name, run) => evaluatedRows(readArm(run.path, { name })),
    });
  },
  results: orealResults,
  startRow: startName,
  report: async () => (await import("./report.ts")).writeOrealReport,
});

function servedLines(server: ServerConfig | undefined): string[] {
  if (server === undefined) return [];
  const { url = "a server that the run starts", weights } = server;
  return [`Drawn by ${url} (${protocolNameOf(server)}, weights: ${weights}), ${server.concurrency} at a time`];
}

function plan(config: OrealConfig, { tokens, validation }: RunInputs): string[] {
  listedPlaces(config.report, tokens, "data.train");
  const { sampling, compare } = config;
  const questions = Math.min(sampling.questionsPerStep, tokens.length);
  const described = ({ name, objective, rewards, iterations, policySteps, policyFreeze }: ArmChoice): string[] => [
    `  ${name}: ${iterations} iterations${policyFreeze ? `, ${policyFreeze} of them without the policy` : ""}`,
    ...(rewards ? rewardLines(rewards) : []),
    ...outcomeNotes(settingsOf(objective, config), policySteps).map((note) => `    ${note}`),
  ];
  return [
    `Questions: ${tokens.length}, held-out problems: ${validation?.length ?? "none"}`,
    `Each iteration: ${questions} questions x ${sampling.samples} responses of at most ${sampling.maxNewTokens} tokens`,
    ...servedLines(sampling.server),
    "Runs:",
    ...[mainArm(config), ...compare].flatMap(described),
  ];
}

/** What responses are rewarded for, a line each. */
function rewardLines(choices: readonly MethodChoice[]): string[] {
  const names = rewardNames(choices);
  const named = choices.map((choice, i) => ({ name: `reward ${names[i]!}`, choice }));
  return optionLines(rewardCatalogue, named).map((line) => `  ${line}`);
}
