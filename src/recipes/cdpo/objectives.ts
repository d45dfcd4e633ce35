import { selectEntry } from "../../config/load-entry.ts";
import { preferenceForms } from "../../preference/catalogue.ts";
import type { PreferenceObjective } from "../../preference/objective.ts";
import { UserError } from "../../system/errors.ts";
import type { PairReading } from "../kit/pair-tokens.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { armsOf } from "./config.ts";
import type { CdpoConfig } from "./config-schema.ts";

/**
 * The objective of each arm by the arm's name.
 * @throws UserError for a module that cannot be used
 */
export async function objectivesOf(config: CdpoConfig): Promise<ReadonlyMap<string, PreferenceObjective>> {
  const objectives = new Map<string, PreferenceObjective>();
  for (const { name, objective: choice } of armsOf(config)) {
    objectives.set(name, await selectEntry(preferenceForms, choice, process.cwd()));
  }
  return objectives;
}

/** What is read of pairs in `data.train`: their token weights where an objective wants them, and no file has them. */
export async function pairReading(config: CdpoConfig): Promise<PairReading> {
  const { score, pairs } = config.stages;
  const objectives = score === undefined && pairs === undefined ? await objectivesOf(config) : new Map();
  const [weights] = [...objectives].flatMap(([name, { needs }]) => (needs.includes("weights") ? [name] : []));
  return { weights };
}

/** Throws a UserError for what a run whose `data.train` holds pairs has no use for. */
export function refuseBesidePairs(config: CdpoConfig, { pairs }: Pick<RunInputs, "pairs">): void {
  if (pairs === undefined) return;
  const questions =
    "To have the model answer their prompts instead, read the rows as questions: data.format: prompt-response, data.fields: { response: chosen }.";
  const unused = {
    "stages.sample": config.stages.sample,
    "stages.judge": config.stages.judge,
    "sampling.server": config.sampling.server,
  };
  for (const [where, value] of Object.entries(unused))
    if (value !== undefined)
      throw new UserError("unused-option", "data.train holds pairs, so that no answers are drawn or judged", {
        where,
        fix: `Leave it out. ${questions}`,
      });
  const same = armsOf(config).find(({ objective }) => objective.method === "sft-reference");
  if (same === undefined) return;
  throw new UserError("unused-option", "data.train holds pairs, whose chosen answers are the data's own", {
    where: `arm ${same.name}`,
    fix: "Take sft-chosen, which is the same here.",
  });
}
