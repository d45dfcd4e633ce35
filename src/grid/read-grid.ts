import { readFileSync } from "node:fs";
import { basename, dirname, extname, relative, resolve } from "node:path";
import { type ConfigDefinition, loadConfig } from "../config/load.ts";
import type { Problem } from "../config/problem.ts";
import type { SettingText } from "../config/settings.ts";
import { parseYaml } from "../config/yaml.ts";
import { nearest } from "../config/nearest.ts";
import type { Recipe, RunConfig } from "../recipes/kit/recipe.ts";
import { recipes } from "../recipes/list.ts";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { type Arm, armsOf, isRowName, mostCells } from "./arms.ts";
import { type GridConfig, gridSchema } from "./grid-schema.ts";
import { type Settings, undotted } from "./settings.ts";

/** A grid of a checkout, for messages. */
export const exampleGrid = `${dirname(recipes[0].example)}/ablation.yaml`;

/** A recipe as a grid knows it. */
export type AnyRecipe = Pick<
  Recipe<RunConfig, unknown>,
  "name" | "example" | "results" | "startRow" | "stages" | "comparesInGrids"
> & {
  readonly config: ConfigDefinition<RunConfig>;
};

/** A grid file that was read: what it says, its rows, and the recipe that runs them. */
export interface Grid {
  /** Absolute. */
  readonly file: string;
  readonly config: GridConfig;
  readonly arms: readonly Arm[];
  readonly recipe: AnyRecipe;
  /** What the command line says of every cell. */
  readonly set: readonly string[];
}

/** How a grid file is read. */
export function gridDefinition(recipe?: AnyRecipe): ConfigDefinition<GridConfig> {
  return {
    schema: gridSchema,
    alternatives: [],
    finish(config, source) {
      config.output ??= resolve("runs/reproduce", defaultName(config.recipe, source));
      const { arms, problems } = armsOf(config);
      return [...problems, ...problemsOf(config, arms, recipe)];
    },
  };
}

/**
 * Reads a grid file.
 * @param options.set texts of `--set`, for every cell
 * @param options.output in place of the grid's own
 * @throws UserError with every problem at once
 */
export async function readGrid(
  path: string,
  { set = [], output }: { set?: readonly string[]; output?: string | undefined } = {},
): Promise<Grid> {
  const file = resolve(path);
  const recipe = await recipeOf(file);
  for (const text of set) refuseOwn(text.split("=")[0]!);
  const own: SettingText[] = output === undefined ? [] : [`output=${JSON.stringify(resolve(output))}`];
  const { config } = loadConfig(gridDefinition(recipe), file, { set: own, example: exampleGrid });
  return { file, config, arms: armsOf(config).arms, recipe: recipe!, set };
}

/** Keys of a run that the grid itself decides for each cell. */
const ownKeys: Readonly<Record<string, string>> = {
  output: "every cell has a folder of its own: give the grid's output, or --output FOLDER",
  "training.seed": "every cell is run with each of the grid's seeds",
};

/** @throws UserError for a key of `--set` that would change nothing, as each cell has its own */
function refuseOwn(key: string): void {
  const why = ownKeys[key.trim()];
  if (why !== undefined) throw new UserError("conflicting-options", `--set ${key} says nothing here: ${why}`);
}

/** The recipe that a grid names; undefined where the file cannot be read or names none, which reading it will say. */
async function recipeOf(file: string): Promise<AnyRecipe | undefined> {
  const name = rawGrid(file)?.["recipe"];
  return (await recipes.find((each) => each.name === name)?.load()) as AnyRecipe | undefined;
}

/** What a grid file holds, unchecked. */
export function rawGrid(file: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const { value } = parseYaml(readFileSync(file, "utf8"), relative(process.cwd(), file));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `configs/sstoken/ablation.yaml` is `sstoken-ablation`. */
function defaultName(recipe: string, source: string): string {
  const name = basename(source, extname(source));
  return name.includes(recipe) || basename(dirname(source)) !== recipe ? name : `${recipe}-${name}`;
}

function problemsOf(config: GridConfig, arms: readonly Arm[], recipe: AnyRecipe | undefined): Problem[] {
  const problems: Problem[] = [];
  const refuse = (path: Problem["path"], message: string): void => void problems.push({ path, message });
  const refuseOwnKeys = (path: Problem["path"], settings: readonly Settings[]): void => {
    for (const key of new Set(settings.flatMap(ownKeysIn))) refuse(path, `cannot have ${key}: ${ownKeys[key]}`);
  };
  const count = arms.length * config.seeds.length;
  if (count > mostCells)
    refuse(["axes"], `make ${count} cells with ${config.seeds.length} seeds; ${mostCells} are the most`);
  const names = recipe?.stages?.names;
  refuseOwnKeys(["set"], [config.set ?? {}]);
  config.shareStages.forEach((stage, index) => {
    const path = ["shareStages", index];
    if (names === undefined) refuse(path, `cannot be: ${config.recipe} has no stages`);
    else if (!names.includes(stage)) refuse(path, `is ${JSON.stringify(stage)}${orNearest(stage, names)}`);
  });
  for (const [axis, { evaluateOnly, against }] of Object.entries(config.axes)) {
    const rows = arms.filter((arm) => arm.axis === axis);
    refuseOwnKeys(
      ["axes", axis],
      rows.map(({ settings }) => settings),
    );
    if (evaluateOnly === true) {
      const other = rows.flatMap(({ settings }) => Object.keys(settings)).find((key) => !/^evaluation(\.|$)/.test(key));
      const path = ["axes", axis, "evaluateOnly"];
      if (names === undefined) refuse(path, `cannot be: ${config.recipe} does not keep trained models as a stage`);
      else if (other !== undefined) refuse(path, `cannot be: ${other} changes what is trained`);
    }
    const known = rows.map(({ name }) => name);
    const named = [against].flat().filter((name) => typeof name === "string" && !isRowName(name));
    const unknown = named.find((name) => !known.includes(name as string)) as string | undefined;
    if (unknown !== undefined)
      refuse(["axes", axis, "against"], `is ${JSON.stringify(unknown)}${orNearest(unknown, known)}`);
  }
  const cells = arms.map(({ axis, name }) => `${axis}/${name}`);
  config.expect.forEach((expected, index) => {
    for (const key of ["cell", "over"] as const)
      if (!cells.includes(expected[key]))
        refuse(["expect", index, key], `is ${JSON.stringify(expected[key])}${orNearest(expected[key], cells)}`);
    if (!config.metrics.includes(expected.metric))
      refuse(
        ["expect", index, "metric"],
        `is ${JSON.stringify(expected.metric)}${orNearest(expected.metric, config.metrics)}`,
      );
  });
  return problems;
}

/** Which of the grid's own keys settings have, in a group or with dots. */
function ownKeysIn(settings: Settings): string[] {
  const grouped = undotted(settings);
  return Object.keys(ownKeys).filter((key) => {
    const [first, second] = key.split(".");
    const value = isRecord(grouped) ? grouped[first!] : undefined;
    return second === undefined ? value !== undefined : isRecord(value) && value[second] !== undefined;
  });
}

/** What may have been meant instead: a sentence's end. */
export function orNearest(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  return near === undefined
    ? `, but there is ${known.join(", ") || "none"}`
    : `, which there is not; did you mean ${near}?`;
}
