import { UserError } from "../system/errors.ts";
import { growing } from "./tokenized.ts";
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

/** Collects the per-token columns of a dataset, row by row. */
export interface ColumnCollector {
  /**
   * @param columns the row's lists
   * @param response the response marks of the whole row, before it was cut
   * @param length tokens of the row that are kept, counted from its start
   */
  add(columns: Readonly<Record<string, Float32Array>>, response: Uint8Array, length: number, where: () => string): void;
  done(): Record<string, Float32Array>;
}

/**
 * Without `named`, the lists that fit the first row are taken as per-token columns and the others left out with a
 * notice, as is a list that the first row lacks; from then on (and for every named column) a list that does not fit its row is an error.
 */
export function collectColumns(named: readonly string[] | undefined, notice: Notice): ColumnCollector {
  const collected = new Map(named?.map((name) => [name, growing((n) => new Float32Array(n))]));
  const known = new Set(named);
  let first = named === undefined;
  return {
    add(columns, response, length, where) {
      if (first) {
        first = false;
        for (const [name, values] of Object.entries(columns)) {
          known.add(name);
          if (alignColumn(values, response))
            collected.set(
              name,
              growing((n) => new Float32Array(n)),
            );
          else notice(`the column "${name}" is left out: its lists do not have one number per token`);
        }
      }
      for (const name of Object.keys(columns)) {
        if (known.has(name)) continue;
        known.add(name);
        notice(`the column "${name}" is left out: ${where()} has it, but the first row has not`);
      }
      for (const [name, values] of collected) {
        const list = columns[name] ?? new Float32Array();
        values.push(alignedColumn(name, list, response, where).subarray(0, length));
      }
    },
    done: () => Object.fromEntries([...collected].map(([name, values]) => [name, values.done()])),
  };
}

/** One number per token of a row that may have been cut after its list was made; 0 outside the response. */
export function alignedColumn(
  name: string,
  values: Float32Array,
  response: Uint8Array,
  where: () => string,
): Float32Array {
  const aligned = alignColumn(values, response);
  if (aligned === undefined) throw misaligned(name, values.length, response, where());
  return aligned;
}

function misaligned(column: string, length: number, response: Uint8Array, where: string): UserError {
  const counts = `${response.length} tokens, ${countOnes(response)} of them in the response`;
  return new UserError("misaligned-column", `the column "${column}" has ${length} numbers, but the row has ${counts}`, {
    where,
    fix:
      "Give one number per token, or per response token with its end token, as this model's tokenizer counts them; " +
      "or name the wanted columns in tokenColumns ([] for none).",
  });
}
