import { relative } from "node:path";
import { finetuneDefinition, loadConfig, parseRecipeArguments, ruleLabel } from "../config/index.ts";
import type { FinetuneConfig, RecipeArguments } from "../config/index.ts";
import {
  gatherMaterials,
  Interrupted,
  ruleOf,
  runComparison,
  stepsOf,
  stoppable,
  type Arm,
  type ArmTalk,
  type Materials,
} from "../experiment/index.ts";
import { writeReport } from "../report/index.ts";
import { knownRules } from "../selection/knownRules.ts";
import { engineText, releaseEngine, useEngine } from "../tensor/engine.ts";
import { isRunFolder } from "../training/index.ts";
import { exitCodeOf } from "./exit-code.ts";
import { watchInterruption } from "./interruption.ts";
import { createTalk } from "./talk.ts";

export interface Recipe {
  /** Its file in `trainers/`, without the ending. */
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** The rule when the configuration names none. */
  readonly method: string;
}

/**
 * Runs a recipe's command line and sets the exit code: 0, 2 for what the person can mend (one message), 130 after
 * Ctrl-C, 1 with a stack for our own mistakes.
 * @param runArm trains one arm of the comparison to its end
 */
export async function runRecipe(recipe: Recipe, runArm: (arm: Arm) => Promise<void>): Promise<void> {
  try {
    await run(recipe, process.argv.slice(2), runArm);
  } catch (error) {
    process.exitCode = stoppedOr(error, recipe.name);
  } finally {
    releaseEngine();
  }
}

function stoppedOr(error: unknown, name: string): number {
  if (!(error instanceof Interrupted)) return exitCodeOf(error, name, process.stderr);
  process.stderr.write(`${name}: ${error.message} Go on with --resume.\n`);
  return 130;
}

async function run(recipe: Recipe, argv: readonly string[], runArm: (arm: Arm) => Promise<void>): Promise<void> {
  const args = parseRecipeArguments(argv, recipe);
  if ("help" in args) return say(args.help);
  const definition = finetuneDefinition(knownRules, { method: recipe.method });
  const { config, resolvedYaml } = loadConfig(definition, args.config, { set: args.set });
  if (args.dryRun) return dryRun(config, resolvedYaml, await gather(config, createTalk("dry run")));
  using interruption = watchInterruption(() => process.stderr.write("\nStopping soon; once more ends at once.\n"));
  const { path } = await runComparison(
    {
      config,
      resolvedYaml,
      mode: modeOf(args, config),
      allowChanges: args.allowChanges,
      materials: () => gather(config, stoppable(createTalk(ruleLabel(config.selection.method)), interruption.asked)),
      talkOf: createTalk,
      interrupted: interruption.asked,
      command: ["npx tsx", `trainers/${recipe.name}.ts`, ...argv].join(" "),
    },
    runArm,
  );
  const report = writeReport(path);
  say(`The run is in ${relative(process.cwd(), path) || "."}, its report in ${relative(process.cwd(), report)}\n`);
}

async function gather(config: FinetuneConfig, talk: ArmTalk): Promise<Materials> {
  // an arm whose rule cannot be made fails here, not after hours of the arms before it
  for (const { selection } of [config, ...config.compare]) await ruleOf(selection, config);
  const engine = await useEngine(config.engine, config.threads === undefined ? {} : { threads: config.threads });
  talk.note(`Engine: ${engineText(engine)}`);
  if (engine.warning !== undefined) talk.note(engine.warning);
  return gatherMaterials(config, engine, talk);
}

function modeOf({ resume, overwrite }: RecipeArguments, config: FinetuneConfig): "new" | "resume" | "overwrite" {
  if (resume) return "resume";
  return overwrite && isRunFolder(config.output) ? "overwrite" : "new";
}

function dryRun(config: FinetuneConfig, resolvedYaml: string, { tokens, validation }: Materials): void {
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
      "Nothing was written to the run folder.",
      "",
    ].join("\n"),
  );
}

function say(text: string): void {
  process.stdout.write(text);
}
