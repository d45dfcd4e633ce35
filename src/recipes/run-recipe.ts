import { nearest } from "../config/nearest.ts";
import { UserError } from "../system/errors.ts";
import type { Recipe, RunConfig } from "./kit/recipe.ts";
import { runFromCommandLine } from "./kit/run-from-command-line.ts";
import { recipes } from "./list.ts";

type Listed = (typeof recipes)[number];

/** A name of `tokensift recipe list`: `sstoken`, `cdpo`, ... */
export type RecipeName = Listed["name"];

/** What the trainer of a recipe gets: `RunOf<"cdpo">` has cDPO's stages, `RunOf<"sstoken">` its arms. */
export type RunOf<Name extends RecipeName> = Awaited<
  ReturnType<Loaded<Extract<Listed, { name: Name }>>["open"]>
>["run"];

type Loaded<Entry extends Listed> = Awaited<ReturnType<Entry["load"]>>;

/**
 * Runs a recipe by the process's command line: `--help`, `--dry-run`, `--resume`, `--overwrite`, errors in words and the
 * exit code (0, 2 for what the person can mend, 130, 143 or 138 after SIGINT, SIGTERM or SIGUSR1, 1 where a server is gone,
 * and with a stack for our own mistakes).
 *
 * @param body what a trainer does with the opened run
 * @throws UserError for a name that no recipe has
 * @example
 * import { existsSync, writeFileSync } from "node:fs";
 * import { runRecipe } from "tokensift/recipes";
 * import { ruleStep } from "tokensift/training";
 *
 * // what a person would write and type: `npx tsx my-trainer.ts --config my-run.yaml`
 * const lines = ["model: models/tiny", "data: { train: datasets/word-problems/validation.arrow }", "engine: cpu"];
 * writeFileSync("my-run.yaml", [...lines, "training: { steps: 2, batchSize: 4 }", "output: runs/mine"].join("\n"));
 * process.argv.push("--config", "my-run.yaml");
 *
 * await runRecipe("finetune", async (run) => {
 *   for await (const arm of run.arms()) {
 *     const { learner, rule, signals: plan } = arm;
 *     for (const step of learner.steps()) {
 *       const batches = arm.batches(step);
 *       await arm.record(batches, await ruleStep(learner, step, batches, { rule, plan, context: arm.context() }));
 *     }
 *     await arm.finish();
 *   }
 * });
 * existsSync("runs/mine/report.html"); //=> true
 */
export async function runRecipe<Name extends RecipeName>(
  name: Name,
  body: (run: RunOf<Name>) => Promise<void>,
): Promise<void> {
  const recipe = recipes.find((each) => each.name === name);
  if (recipe === undefined) throw unknownRecipe(name);
  await runFromCommandLine((await recipe.load()) as unknown as Recipe<RunConfig, RunOf<Name>>, body);
}

/** An error that names the nearest recipe, or all of them. */
export function unknownRecipe(name: string): UserError {
  const names = recipes.map((each) => each.name);
  const near = nearest(name, names);
  const fix = near === undefined ? `The recipes are ${names.join(", ")}.` : `Did you mean ${near}?`;
  return new UserError("unknown-recipe", `there is no recipe ${JSON.stringify(name)}`, { fix });
}
