import type { Dataset } from "../../data/dataset.ts";
import { readableRows } from "../../data/tokenize-rows.ts";
import { UserError } from "../../system/errors.ts";

/** A row at which a run would end. */
export interface RefusedRow {
  readonly rowId: number;
  readonly error: UserError;
}

/** What of a data set does not train, and why. */
export interface LeftOut {
  /** Rows by the reason for which they are left out. */
  readonly reasons: ReadonlyMap<string, number>;
  /** The first of them. */
  readonly first: { readonly rowId: number; readonly reason: string } | undefined;
  /** The first row of each kind that would end a run, in their order. */
  readonly refused: readonly RefusedRow[];
  /** Rows that would end a run, by the codes of their errors. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Why the row that is to be shown is left out. */
  readonly wanted: string | undefined;
  add(rowId: number, reason: string | UserError): void;
}

export function collectLeftOut({ length }: Pick<Dataset, "length">, wantedRow: number | undefined): LeftOut {
  const reasons = new Map<string, number>();
  const refusals = new Map<string, number>();
  const refused: RefusedRow[] = [];
  let first: LeftOut["first"];
  let wanted: string | undefined;
  return {
    reasons,
    refusals,
    refused,
    get first() {
      return first;
    },
    get wanted() {
      return wanted;
    },
    add(rowId, reason) {
      if (!(rowId >= 0 && rowId < length)) throw new RangeError(`there is no row ${rowId}`);
      if (Math.floor(rowId) === wantedRow) wanted ??= reason instanceof UserError ? reason.message : reason;
      if (reason instanceof UserError) {
        if (!refusals.has(reason.code)) refused.push({ rowId, error: reason });
        count(refusals, reason.code);
      } else {
        first ??= { rowId, reason };
        count(reasons, reason);
      }
    },
  };
}

/** Reads all rows without making tokens of them. */
export async function readAllRows(dataset: Dataset, leftOut: LeftOut): Promise<void> {
  for await (const row of readableRows(dataset)) {
    if ("skipped" in row) leftOut.add(row.rowId, row.skipped);
    if ("refused" in row) leftOut.add(row.rowId, row.refused);
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
