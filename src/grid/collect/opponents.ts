import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { isRowName, type Arm } from "../arms.ts";
import type { Cells } from "../cells.ts";
import { orNearest } from "../read-grid.ts";
import type { ArmOutcomes, AxisOutcomes } from "./read-cells.ts";

/**
 * The rows that a row of an axis is compared with, as the axis's `against` says: cells of the axis, or other rows of the
 * results of the very same runs (`@h2o`). Never the row itself.
 */
export function opponentsOf(cells: Cells, row: ArmOutcomes, arms: readonly ArmOutcomes[]): ArmOutcomes[] {
  const against = cells.grid.config.axes[row.arm.axis]!.against;
  const wanted = Array.isArray(against) ? against : [against];
  return wanted.flatMap((each) => {
    if (isRowName(each)) return [atRow(row, each)];
    const other = arms.find((candidate) =>
      isRecord(each) ? isPartner(candidate.arm, row.arm, each) : isNamed(cells, candidate, { name: each, arms }),
    );
    const same = other === undefined || other.arm === row.arm || cells.of(other.arm) === cells.of(row.arm);
    return same ? [] : [other];
  });
}

/**
 * Refuses an opponent that is a row of no run, once an axis is complete.
 * @throws UserError that names the nearest
 */
export function refuseUnknownRows({ grid }: Cells, axes: readonly AxisOutcomes[]): void {
  for (const { axis, arms } of axes) {
    const names = arms.flatMap(({ outcomes }) => outcomes.flatMap(({ measures }) => [...measures.keys()]));
    const known = [...new Set(names.flatMap((name) => /@.*$/.exec(name) ?? []))];
    const unknown = [grid.config.axes[axis]!.against].flat().filter(isRowName);
    const row = unknown.find((name) => !known.includes(name));
    if (row === undefined || arms.some(({ missing }) => missing > 0)) continue;
    throw new UserError("unknown-metric", `no run has a row ${JSON.stringify(row)}${orNearest(row, known)}`, {
      where: `${grid.file}: axes.${axis}.against`,
    });
  }
}

/** What the same runs have measured in another row of their results. */
function atRow({ arm, outcomes, missing }: ArmOutcomes, row: string): ArmOutcomes {
  const own = outcomes.map((outcome) => {
    const there = [...outcome.measures].filter(([name]) => name.endsWith(row));
    return { ...outcome, measures: new Map(there.map(([name, measure]) => [name.slice(0, -row.length), measure])) };
  });
  return { arm: { ...arm, name: row }, outcomes: own, missing };
}

function isNamed(
  cells: Cells,
  candidate: ArmOutcomes,
  { name, arms }: { name: string | undefined; arms: readonly ArmOutcomes[] },
): boolean {
  if (name !== undefined) return candidate.arm.name === name;
  const base = arms.find((each) => cells.isBase(each.arm)) ?? arms[0]!;
  return candidate === base;
}

/** Whether a row has the given values and is else as the other. */
function isPartner(candidate: Arm, arm: Arm, values: Readonly<Record<string, unknown>>): boolean {
  const wanted = { ...arm.settings, ...values };
  return sameSettings(candidate.settings, wanted);
}

function sameSettings(a: object, b: object): boolean {
  const text = (value: object): string =>
    JSON.stringify(Object.entries(value).toSorted(([x], [y]) => (x < y ? -1 : 1)));
  return text(a) === text(b);
}
