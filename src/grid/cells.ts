import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { comparisonArm } from "../config/catalogue.ts";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import type { MethodChoice } from "../config/method-choice.ts";
import { keyName, valueAt } from "../config/problem.ts";
import type { SettingText } from "../config/settings.ts";
import type { RunConfig } from "../recipes/kit/recipe.ts";
import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import type { Arm } from "./arms.ts";
import type { Grid } from "./read-grid.ts";
import { settingTexts, type Settings } from "./settings.ts";

/** One run of a grid: base, an arm's settings, a seed. */
export interface Cell {
  /** From 0; what `--cell` takes. */
  readonly index: number;
  /** `main-full-s42`. */
  readonly name: string;
  /** Its run folder, absolute. */
  readonly folder: string;
  readonly arm: Arm;
  readonly seed: number;
}

/** A grid with its cells. */
export interface Cells {
  readonly grid: Grid;
  readonly cells: readonly Cell[];
  /** What every row starts from, under the first seed. */
  readonly base: RunConfig;
  /** The cells that a row of an axis stands for, one for each seed. Rows that configure the same share theirs. */
  of(arm: Arm): readonly Cell[];
  /** Whether a row is the base as it is. */
  isBase(arm: Arm): boolean;
}

/**
 * The cells of a grid: every row with every seed, each configuration once.
 * @throws UserError for every row whose configuration is wrong
 */
export function cellsOf(grid: Grid): Cells {
  const { config, arms } = grid;
  const { config: base } = loadConfig(grid.recipe.config, config.base, {
    set: shared(grid, seedOf(config.seeds[0]!)),
    ...paths(grid),
  });
  const seen = new Map<string, Arm>();
  const standsFor = new Map<Arm, Arm>();
  const wrong: string[] = [];
  for (const arm of arms) {
    const text = canonical({ grid, base }, arm, wrong);
    if (text === undefined) continue;
    if (!seen.has(text)) seen.set(text, arm);
    standsFor.set(arm, seen.get(text)!);
  }
  if (wrong.length > 0)
    throw new UserError("invalid-config", `cells whose configuration is wrong:\n  ${wrong.join("\n  ")}`, {
      where: grid.file,
    });
  refuseSharedNames(grid, [...seen.values()]);
  const cells: Cell[] = [];
  const folderOf = foldersIn(join(config.output, "cells"));
  const cellsOfArm = new Map<Arm, Cell[]>();
  for (const arm of seen.values())
    cellsOfArm.set(
      arm,
      config.seeds.map((seed) => {
        const name = `${nameOf(arm)}-s${seed}`;
        const cell = { index: cells.length, name, folder: folderOf(name, cells.length), arm, seed };
        cells.push(cell);
        return cell;
      }),
    );
  const baseText = withoutOutput(base);
  return {
    ...{ grid, cells, base },
    of: (arm) => cellsOfArm.get(standsFor.get(arm)!)!,
    isBase: (arm) => seen.get(baseText) === standsFor.get(arm),
  };
}

/** What a row's cells are called, but for the seed. */
const nameOf = ({ axis, name }: Arm): string => (name.startsWith(`${axis}-`) ? name : `${axis}-${name}`);

/** @throws UserError for two rows whose cells would have one name, and so one folder */
function refuseSharedNames({ file }: Grid, arms: readonly Arm[]): void {
  const named = new Map<string, Arm>();
  for (const arm of arms) {
    const name = nameOf(arm).toLowerCase(); // not every file system tells cases apart
    const other = named.get(name);
    if (other !== undefined)
      throw new UserError(
        "invalid-config",
        `${other.axis}/${other.name} and ${arm.axis}/${arm.name} would both have their cells in the folder ${name}-s…`,
        { where: file, fix: "Give one of them another name: `names:` of the axis, or `name` of the row." },
      );
    named.set(name, arm);
  }
}

/** Where a cell's run is: a folder of its name, which keeps the number it once had, or a new one. */
function foldersIn(path: string): (name: string, index: number) => string {
  const there = new Map(
    entriesOf(path).flatMap((entry) => {
      const name = /^\d{3,}-(.+)$/.exec(entry)?.[1];
      return name === undefined ? [] : [[name, entry] as const];
    }),
  );
  return (name, index) => join(path, there.get(name) ?? `${String(index).padStart(3, "0")}-${name}`);
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    return [];
  }
}

/** The configuration of a cell. */
export function cellConfig(start: Start, { arm, seed, folder }: Cell, extra: Settings = {}): LoadedConfig<RunConfig> {
  return configOf(start, arm, { ...seedOf(seed), output: folder, ...extra });
}

/** What rows change. */
export type Start = Pick<Cells, "grid" | "base">;

const seedOf = (seed: number): Settings => ({ "training.seed": seed });

/** Arms that a configuration compares are rows of a grid; what every cell has in common is said after that. */
function shared(grid: Grid, last: Settings): SettingText[] {
  const { config, recipe, set, file } = grid;
  const hasArms = Object.hasOwn(recipe.config.schema.properties ?? {}, "compare");
  const alone = hasArms && recipe.comparesInGrids !== true ? ["compare=[]"] : [];
  const own = settingTexts(config.set ?? {}).map((text) => inPlace(grid, text));
  return [...alone, ...own, ...set, ...settingTexts(last).map((text) => ({ text, folder: dirname(file) }))];
}

/** A text of the grid file, whose paths start from its folder. */
function inPlace({ config, file }: Grid, text: string): SettingText {
  return { text: text.replaceAll("{before}", beforeFolder(config.output)), folder: dirname(file) };
}

/** Where the files of `before` are. */
export const beforeFolder = (output: string): string => join(output, "before");

/** What `before` will have made. */
const paths = ({ config }: Grid): { made: string[] } => ({
  made: config.before.map(({ makes }) => join(beforeFolder(config.output), makes)),
});

function configOf({ grid, base }: Start, arm: Arm, last: Settings): LoadedConfig<RunConfig> {
  const own = settingTexts(withMethods(grid, arm.settings, base)).map((text) => inPlace(grid, text));
  const after = settingTexts(last);
  return loadConfig(grid.recipe.config, grid.config.base, {
    set: [...shared(grid, {}), ...own, ...after],
    ...paths(grid),
  });
}

/**
 * Settings in which a method given by its name alone (`selection.method: random`) is the group of its method: under the
 * options that it takes from the base, as an arm of a comparison is.
 */
function withMethods({ recipe }: Grid, settings: Settings, base: RunConfig): Settings {
  const entries = Object.entries(settings).flatMap(([key, value]) => {
    const methods = recipe.config.methods?.find(({ catalogue }) => catalogue.key === key);
    if (methods === undefined || typeof value !== "string") return [[key, value] as const];
    const group = key.split(".").slice(0, -1);
    const main = valueAt(base, group) as MethodChoice;
    if (main.method === value) return [];
    return [[keyName(group), comparisonArm(methods.catalogue, main, value)] as const];
  });
  return Object.fromEntries(entries);
}

/** What tells two rows apart: their configuration under one seed, wherever it goes. */
function canonical(start: Start, arm: Arm, wrong: string[]): string | undefined {
  try {
    return withoutOutput(configOf(start, arm, seedOf(start.grid.config.seeds[0]!)).config);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    wrong.push(`${arm.axis}/${arm.name}: ${error.message.replaceAll("--set ", "").replaceAll("\n", "\n    ")}`);
    return undefined;
  }
}

function withoutOutput(config: RunConfig): string {
  return JSON.stringify(inOrder({ ...config, output: undefined }));
}

/** The same value with the keys of every group in one order. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, inOrder(inner)] as const);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
