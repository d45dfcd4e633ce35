import { UserError } from "../../system/errors.ts";
import { flagsHelp, parseFlags } from "../../config/flags.ts";
import { calledAs, exampleConfig } from "./called-as.ts";

/** The command line of a recipe (`trainers/*.ts`). */
export interface RecipeArguments {
  /** The configuration file, as given. */
  readonly config: string;
  /** `key=value` texts, in the order given. */
  readonly set: readonly string[];
  /** Continue the run in the output folder from its last checkpoint. */
  readonly resume: boolean;
  /** With `resume`: continue though settings, engine or versions differ. */
  readonly allowChanges: boolean;
  /** Delete the run in the output folder first. */
  readonly overwrite: boolean;
  /** Start though the run is known not to fit into memory. */
  readonly allowMemory: boolean;
  /** Check everything and say what would be done. */
  readonly dryRun: boolean;
}

const flags = {
  config: { type: "string", short: "c", value: "FILE", description: "The configuration (YAML)." },
  set: {
    type: "string",
    multiple: true,
    value: "KEY=VALUE",
    description: "Override a key, as in --set training.steps=100.",
  },
  resume: { type: "boolean", description: "Continue the run in the output folder from its last checkpoint." },
  "allow-changes": {
    type: "boolean",
    description: "With --resume: accept other settings, engine, threads or versions (not bit for bit then).",
  },
  overwrite: { type: "boolean", description: "Delete the run in the output folder and start again." },
  "allow-memory": { type: "boolean", description: "Start though the run is known not to fit into memory." },
  "dry-run": { type: "boolean", description: "Check the configuration, say what would be done, and stop." },
  help: { type: "boolean", short: "h", description: "Show this text." },
} as const;

/**
 * Reads a recipe's command line.
 * @param recipe its name (`sstoken`), what it does, in one line, and a configuration that a checkout holds
 * @param command as what it was called
 * @returns the arguments, or the help text if that was asked for
 * @throws UserError for unknown flags, a missing --config, and flags that exclude each other
 */
export function parseRecipeArguments(
  argv: readonly string[],
  recipe: { name: string; summary: string; example: string },
  command: string = calledAs(),
): RecipeArguments | { help: string } {
  const { values, positionals } = parseFlags(argv, flags);
  const usage = `${command} --config FILE [--set KEY=VALUE]... [flags]`;
  if (values.help) return { help: `${recipe.summary}\n\n  ${usage}\n\n${flagsHelp(flags)}\n` };
  if (positionals.length > 0)
    throw new UserError("stray-argument", `"${positionals[0]!}" stands alone`, { fix: `Give it to a flag: ${usage}` });
  if (values.config === undefined)
    throw new UserError("missing-option", "--config is missing", {
      fix: `Name a configuration: ${command} --config ${exampleConfig(recipe)}`,
    });
  if (values.resume && values.overwrite)
    throw new UserError("conflicting-options", "--resume and --overwrite exclude each other", {
      fix: "Keep one of them.",
    });
  return {
    config: values.config,
    set: values.set ?? [],
    resume: values.resume ?? false,
    allowChanges: values["allow-changes"] ?? false,
    overwrite: values.overwrite ?? false,
    allowMemory: values["allow-memory"] ?? false,
    dryRun: values["dry-run"] ?? false,
  };
}
