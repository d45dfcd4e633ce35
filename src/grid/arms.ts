import type { KeyPath, Problem } from "../config/problem.ts";
import { isRecord } from "../system/is-record.ts";
import { axisWords, type AxisConfig, cellName, type GridConfig } from "./grid-schema.ts";
import { nameOfSettings, type Settings } from "./settings.ts";

/** One row of an axis: what it changes of the base. It becomes a cell with each seed. */
export interface Arm {
  readonly axis: string;
  /** Within the axis. */
  readonly name: string;
  readonly settings: Settings;
  /** Added to the axis as one of the grid's controls. */
  readonly control: boolean;
}

/** Whether what an axis is compared with is another row of the same runs' results. */
export const isRowName = (against: unknown): against is string =>
  typeof against === "string" && against.startsWith("@");

/** Cells that a grid may have: more are a slip, and would take all memory before one is run. */
export const mostCells = 10_000;

/** The rows of every axis in the grid's order, and what is wrong with how axes are written. */
export function armsOf({ axes, controls }: Pick<GridConfig, "axes" | "controls">): {
  arms: Arm[];
  problems: Problem[];
} {
  const problems: Problem[] = [];
  const arms = Object.entries(axes).flatMap(([axis, config]) => {
    const path = ["axes", axis];
    if (!/^[A-Za-z][A-Za-z0-9_-]{0,31}$/.test(axis))
      problems.push({ path, message: "must be a word of letters, digits, - and _", atKey: true });
    const own = namedRows(config, rowsOf(config, path, problems), path, problems);
    const added = controls.map((control, index) => ({ ...controlOf(control, index, problems), control: true }));
    const all = [...own, ...added].map((row) => ({ axis, ...row }));
    const seen = new Set<string>();
    const twice = all.map(({ name }) => name).find((name) => seen.size === seen.add(name).size);
    if (twice !== undefined)
      problems.push({ path, message: `has two cells called ${twice}; give it names`, atKey: true });
    return all;
  });
  if (arms.length === 0) problems.push({ path: ["axes"], message: "has no axis" });
  return { arms, problems };
}

type Row = Pick<Arm, "name" | "settings" | "control">;

function namedRows({ names }: AxisConfig, rows: readonly Settings[], path: KeyPath, problems: Problem[]): Row[] {
  if (names !== undefined && names.length !== rows.length)
    problems.push({
      path: [...path, "names"],
      message: `has ${names.length} names for ${rows.length} cells`,
    });
  return rows.map((settings, index) => {
    const { name: own, ...rest } = settings;
    const name = names?.[index] ?? nameOr(own, rest, [...path, "set", index, "name"], problems);
    return { name, settings: rest, control: false };
  });
}

function controlOf({ name, ...settings }: Settings, index: number, problems: Problem[]): Omit<Row, "control"> {
  return { name: nameOr(name, settings, ["controls", index, "name"], problems), settings };
}

/** The name that a row gives itself, as it becomes part of a folder's; one of its settings where it gives none. */
function nameOr(name: unknown, settings: Settings, path: KeyPath, problems: Problem[]): string {
  if (typeof name === "string" && new RegExp(cellName).test(name)) return name;
  if (name !== undefined)
    problems.push({
      path,
      message: `is ${JSON.stringify(name)}: must be text of letters, digits, ".", "-" and "_", at most 64, a letter or digit first`,
    });
  return nameOfSettings(settings);
}

/** What each row of an axis changes. */
function rowsOf(config: AxisConfig, path: KeyPath, problems: Problem[]): Settings[] {
  const columns = columnsOf(config, path, problems);
  const { set = [], cross } = config;
  if (set.length > 0 && columns.length > 0)
    problems.push({
      path: [...path, "set"],
      message: "cannot stand beside keys with values; put them into its groups",
    });
  if (set.length > 0) return set;
  const further = isRecord(cross)
    ? Object.entries(cross).map((entry) => columnOf(entry, [...path, "cross"], problems))
    : [];
  const multiplied = cross === true ? columns : [...columns.slice(0, 1), ...further];
  const count = multiplied.reduce((product, { values }) => product * values.length, 1);
  if (count > mostCells) {
    problems.push({ path: [...path, "cross"], message: `makes ${count} cells; ${mostCells} are the most` });
    return [];
  }
  const rows = cross === true ? product(columns) : byPosition(columns, path, problems);
  if (rows.length === 0)
    problems.push({ path, message: "has no cells: give a key of the configuration and its values" });
  if (!isRecord(cross)) return rows;
  const others = product(further);
  return rows.flatMap((row) => others.map((other) => ({ ...row, ...other })));
}

interface Column {
  readonly key: string;
  readonly values: readonly unknown[];
}

function columnsOf(config: AxisConfig, path: KeyPath, problems: Problem[]): Column[] {
  const keys = Object.entries(config).filter(([key]) => !axisWords.includes(key));
  return keys.map((entry) => columnOf(entry, path, problems));
}

function columnOf([key, values]: [string, unknown], path: KeyPath, problems: Problem[]): Column {
  if (Array.isArray(values) && values.length > 0) return { key, values };
  problems.push({ path: [...path, key], message: "must be a list of values, one for each cell" });
  return { key, values: [] };
}

function product(columns: readonly Column[]): Settings[] {
  return columns.reduce<Settings[]>(
    (rows, { key, values }) => rows.flatMap((row) => values.map((value) => ({ ...row, [key]: value }))),
    [{}],
  );
}

function byPosition(columns: readonly Column[], path: KeyPath, problems: Problem[]): Settings[] {
  const [first, ...others] = columns;
  if (first === undefined) return [];
  const longer = others.find(({ values }) => values.length !== first.values.length);
  if (longer !== undefined)
    problems.push({
      path: [...path, longer.key],
      message:
        `has ${longer.values.length} values and ${first.key} has ${first.values.length}: they pair by position. ` +
        "Give as many, `cross: true` for every combination, or an axis of its own",
    });
  return first.values.map((_, index) => Object.fromEntries(columns.map(({ key, values }) => [key, values[index]])));
}
