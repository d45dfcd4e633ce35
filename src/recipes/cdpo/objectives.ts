import { selectEntry } from "../../config/load-entry.ts";
import { preferenceForms } from "../../preference/catalogue.ts";
import type { PreferenceObjective } from "../../preference/objective.ts";
import { UserError } from "../../system/errors.ts";
import { armsOf } from "./config.ts";
import type { CdpoConfig } from "./config-schema.ts";

/**
 * The objective of each arm by the arm's name.
 * @throws UserError for a module that cannot be used, or an objective without the token weights that it reads
 */
export async function objectivesOf(config: CdpoConfig): Promise<ReadonlyMap<string, PreferenceObjective>> {
  const objectives = new Map<string, PreferenceObjective>();
  for (const { name, objective: choice } of armsOf(config)) {
    const objective = await selectEntry(preferenceForms, choice, process.cwd());
    if (objective.needs.includes("weights") && config.stages.score === undefined)
      throw new UserError("missing-option", "the objective reads token weights, and there is no file of scored pairs", {
        where: choice.method,
        fix: "Give one, with the columns chosen_weights and rejected_weights, in stages.score.",
      });
    objectives.set(name, objective);
  }
  return objectives;
}
