import { UserError } from "../system/errors.ts";
import { propertyNames, type OptionNames } from "../system/option-names.ts";
import type { Notice } from "./cache.ts";

/**
 * Lays a per-token list over a row's tokens. A list as long as the row describes all its tokens; a list as long as its
 * response describes the response tokens in order, and the others get 0.
 *
 * @returns one value per token, or undefined when the list has neither length
 */
export function alignColumn(values: Float32Array, response: Uint8Array): Float32Array | undefined {
  if (values.length === response.length) return values;
  if (values.length !== countOnes(response)) return undefined;
  const aligned = new Float32Array(response.length);
  let next = 0;
  response.forEach((isResponse, t) => {
    if (isResponse === 1) aligned[t] = values[next++]!;
  });
  return aligned;
}

export function countOnes(marks: Uint8Array): number {
  return marks.reduce((sum, mark) => sum + mark, 0);
}

/** Lays the per-token columns of a dataset over its tokens, row by row. */
export interface ColumnAligner {
  /**
   * @param columns the row's lists
   * @param response the response marks of the whole row, before it was cut
   * @param cut takes what is kept out of a list of the whole row's tokens
   * @returns one number per token that is kept, of the same columns for each row
   */
  align(
    columns: Readonly<Record<string, Float32Array>>,
    response: Uint8Array,
    cut: (values: Float32Array) => Float32Array,
    where: () => string,
  ): Record<string, Float32Array>;
}

/**
 * Without `named`, the lists that fit the first row are taken as per-token columns and the others left out with a
 * notice, as is a list that the first row lacks; from then on (and for every named column) a list that does not fit its row is an error.
 *
 * @param names how messages call the option that names columns
 */
export function alignColumns(
  named: readonly string[] | undefined,
  notice: Notice,
  names: OptionNames = propertyNames,
): ColumnAligner {
  const taken = new Set(named);
  const known = new Set(named);
  let first = named === undefined;
  const advice = `; or name the wanted columns: ${names("tokenColumns")} (${names("tokenColumns", "none")} takes none)`;
  return {
    align(columns, response, cut, where) {
      if (first) {
        first = false;
        for (const [name, values] of Object.entries(columns)) {
          known.add(name);
          if (alignColumn(values, response)) taken.add(name);
          else notice(`the column "${name}" is left out: its lists do not have one number per token`);
        }
      }
      for (const name of Object.keys(columns)) {
        if (known.has(name)) continue;
        known.add(name);
        notice(`the column "${name}" is left out: ${where()} has it, but the first row has not`);
      }
      const list = (name: string): Float32Array => columns[name] ?? new Float32Array();
      return Object.fromEntries(
        [...taken].map((name) => [name, cut(alignedColumn(name, list(name), response, where, advice))]),
      );
    },
  };
}

/**
 * One number per token of a row that may have been cut after its list was made; 0 outside the response.
 *
 * @param advice what else could be done about a list of another length, behind a comma or a semicolon
 */
export function alignedColumn(
  name: string,
  values: Float32Array,
  response: Uint8Array,
  where: () => string,
  advice = "",
): Float32Array {
  const aligned = alignColumn(values, response);
  if (aligned !== undefined) return aligned;
  const counts = `${response.length} tokens, ${countOnes(response)} of them in the response`;
  const fix =
    "Give one number per token, or per response token with its end token, as this model's tokenizer counts them";
  const what = `the column "${name}" has ${values.length} numbers, but the row has ${counts}`;
  throw new UserError("misaligned-column", what, { where: where(), fix: `${fix}${advice}.` });
}
