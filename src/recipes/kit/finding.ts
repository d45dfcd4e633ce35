import type { PairedComparison } from "../../evaluation/paired-bootstrap.ts";
import { pairedDifference, resultOf } from "../../report/compare-arms.ts";
import { formatDifference, formatNumber } from "../../report/format.ts";
import type { ArmRun } from "../../report/run.ts";
import { ownColumn, type ResultColumn } from "./results.ts";

/** The held-out rows of an arm after its last step. */
export interface ArmRows {
  readonly name: string;
  /** Numbers of the rows in the data. */
  readonly rowIds: readonly number[];
  /** One number for each row, by the key of the result's column; a list may be empty. */
  readonly values: Readonly<Record<string, readonly number[]>>;
  /** The same of the user's own metric. */
  readonly own?: Readonly<Record<string, readonly number[]>>;
}

/** The main arm, and those that it must differ from. */
export interface ComparedArms {
  readonly main: ArmRows;
  readonly controls: readonly ArmRows[];
}

/** Those of an arm that has an evaluation log; undefined where nothing was evaluated after the first step. */
export function evaluatedRows(arm: ArmRun): ArmRows | undefined {
  const { after } = resultOf(arm);
  if (after === undefined) return undefined;
  const { rowIds, rowLosses: loss, rowProbability: referenceProbability, rowCorrect: exactMatch } = after;
  return {
    ...{ name: arm.name, rowIds },
    values: { loss, referenceProbability, exactMatch, passAt1: after.rowPassRate },
    own: after.ownMetrics,
  };
}

/** The arms to compare with: those that are controls, or all where none is. */
export function controlsAmong<Arm>(arms: readonly Arm[], isControl: (arm: Arm) => boolean): readonly Arm[] {
  const controls = arms.filter(isControl);
  return controls.length > 0 ? controls : arms;
}

/**
 * What a run found, in one sentence: for each column that is `compared`, whether the main arm's number is higher or
 * lower than each control's on the same held-out rows, with the paired 95 % interval over the rows. Undefined where
 * nothing can be compared.
 */
export function findingOf(columns: readonly ResultColumn[], { main, controls }: ComparedArms): string | undefined {
  let rows = 0;
  const clauses = [...columns, ...Object.keys(main.own ?? {}).map(ownColumn)].flatMap((column) => {
    const { key, compared } = column;
    if (compared === undefined) return [];
    const found = controls.flatMap((control) => {
      const difference = pairedDifference(rowsOf(main, key), rowsOf(control, key));
      rows = Math.max(rows, difference?.rows ?? 0);
      return difference === undefined ? [] : [{ name: control.name, ...difference.result }];
    });
    return found.length === 0 ? [] : [clauseOf(column, compared, found)];
  });
  if (clauses.length === 0) return undefined;
  return (
    `On ${formatNumber(rows)} held-out rows ${main.name} has ${clauses.join("; ")} ` +
    "(95 % intervals over these rows; one seed, and another may turn out otherwise)."
  );
}

const rowsOf = ({ rowIds, values, own = {} }: ArmRows, key: string) => ({
  rowIds,
  values: values[key] ?? own[key] ?? [],
});

type Against = PairedComparison & { readonly name: string };

const verdicts = [
  { says: ({ high }: Against) => high < 0, words: (measure: string) => `a lower ${measure} than` },
  { says: ({ low }: Against) => low > 0, words: (measure: string) => `a higher ${measure} than` },
  {
    says: ({ low, high }: Against) => low <= 0 && high >= 0,
    words: (measure: string) => `no clearly different ${measure} from`,
  },
];

/** `a lower loss than full (−0.0391 [−0.0430, −0.0352]), no clearly different loss from random (…)`. */
function clauseOf(column: ResultColumn, measure: string, found: readonly Against[]): string {
  const parts = verdicts.flatMap(({ says, words }) => {
    const those = found.filter(says);
    return those.length === 0 ? [] : [`${words(measure)} ${listed(those.map((each) => withInterval(column, each)))}`];
  });
  return parts.join(", ");
}

function withInterval({ kind }: ResultColumn, { name, difference, low, high }: Against): string {
  const text = (value: number): string =>
    kind === "share" ? formatDifference(100 * value, 1) : formatDifference(value, kind === "loss" ? 4 : 2);
  return `${name} (${text(difference)}${kind === "share" ? " points" : ""} [${text(low)}, ${text(high)}])`;
}

function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)!}`;
}
