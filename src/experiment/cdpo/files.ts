import { openArrow, writeArrow, type ColumnType } from "../../data/index.ts";
import { UserError } from "../../errors.ts";
import type { Drawn } from "../responses/index.ts";

/** One side of a pair. */
export type PairedText = Pick<Drawn, "prompt" | "ids" | "finished">;

/** A preference pair of one question. */
export interface ResponsePair {
  readonly question: number;
  readonly chosen: PairedText;
  readonly rejected: PairedText;
}

/** What is known of one response's tokens, one number per token. */
export interface TokenFacts {
  /** Log-probabilities under the reference model, nats. */
  readonly reference: Float32Array;
  /** `log s_t` of the contrastive estimate. */
  readonly logEstimate?: Float32Array;
  /** Weights of the user's. */
  readonly weights?: Float32Array;
}

/** A pair with what its objective reads. */
export interface ScoredPair extends ResponsePair {
  readonly facts: { readonly chosen: TokenFacts; readonly rejected: TokenFacts };
}

const pairColumns = {
  question: "float64",
  prompt_ids: "list<int32>",
  chosen_ids: "list<int32>",
  rejected_ids: "list<int32>",
  chosen_finished: "bool",
  rejected_finished: "bool",
} as const satisfies Record<string, ColumnType>;

/** Per-token columns of scored pairs, by side. */
const factColumns = { reference: "reference", log_estimate: "logEstimate", weights: "weights" } as const;
const sides = ["chosen", "rejected"] as const;

export interface ReadOptions {
  /** Ids must be below it. */
  vocabularySize: number;
}

/** Writes pairs. */
export function writePairs(path: string, pairs: readonly ResponsePair[]): void {
  writeArrow(path, pairColumns, pairs.map(pairRow));
}

/** Reads pairs, of ours or of another's making. Throws a UserError naming file, row and column. */
export function readPairs(path: string, options: ReadOptions): ResponsePair[] {
  return readRows(path, Object.keys(pairColumns), (row, where) => pairOf(row, where, options));
}

/** Writes scored pairs; a column is left out where no pair has it. */
export function writeScored(path: string, pairs: readonly ScoredPair[]): void {
  const facts = sides.flatMap((side) =>
    Object.entries(factColumns).flatMap(([column, key]) =>
      pairs.some((pair) => pair.facts[side][key] !== undefined) ? [{ side, column: `${side}_${column}`, key }] : [],
    ),
  );
  const columns = {
    ...pairColumns,
    ...Object.fromEntries(facts.map(({ column }) => [column, "list<float32>" as const])),
  };
  const rows = pairs.map((pair) => ({
    ...pairRow(pair),
    ...Object.fromEntries(facts.map(({ side, column, key }) => [column, pair.facts[side][key]])),
  }));
  writeArrow(path, columns, rows);
}

/** Reads scored pairs, of ours or of another's making. Throws a UserError naming file, row and column. */
export function readScored(path: string, options: ReadOptions): ScoredPair[] {
  const needed = [...Object.keys(pairColumns), ...sides.map((side) => `${side}_reference`)];
  return readRows(path, needed, (row, where) => {
    const pair = pairOf(row, where, options);
    const factsOf = (side: (typeof sides)[number]): TokenFacts => {
      const tokens = pair[side].ids.length;
      const given = Object.entries(factColumns).flatMap(([column, key]) => {
        const values = row[`${side}_${column}`];
        if (key !== "reference" && (values === undefined || values === null)) return [];
        return [[key, numbers(values, tokens, `${side}_${column}`, where)]];
      });
      return Object.fromEntries(given) as unknown as TokenFacts;
    };
    const facts = { chosen: factsOf("chosen"), rejected: factsOf("rejected") };
    return { ...pair, facts };
  });
}

function pairRow({ question, chosen, rejected }: ResponsePair): Record<keyof typeof pairColumns, unknown> {
  return {
    question,
    prompt_ids: Int32Array.from(chosen.prompt),
    chosen_ids: Int32Array.from(chosen.ids),
    rejected_ids: Int32Array.from(rejected.ids),
    chosen_finished: chosen.finished,
    rejected_finished: rejected.finished,
  };
}

function pairOf(row: Record<string, unknown>, where: string, { vocabularySize }: ReadOptions): ResponsePair {
  const ids = (column: string): number[] => {
    const list = ArrayBuffer.isView(row[column]) ? [...(row[column] as Int32Array)] : [];
    if (list.length > 0 && list.every((id) => Number.isInteger(id) && id >= 0 && id < vocabularySize)) return list;
    return refuse(column, `at least one token id, all from 0 to ${vocabularySize - 1}`, where);
  };
  const finished = (column: string): boolean => {
    const value = row[column];
    return typeof value === "boolean" ? value : refuse(column, "true or false", where);
  };
  const { question } = row;
  if (typeof question !== "number" || !Number.isSafeInteger(question) || question < 0)
    return refuse("question", "whole numbers from 0", where);
  const prompt = ids("prompt_ids");
  const sideOf = (side: string) => ({ prompt, ids: ids(`${side}_ids`), finished: finished(`${side}_finished`) });
  return { question, chosen: sideOf("chosen"), rejected: sideOf("rejected") };
}

function numbers(values: unknown, length: number, column: string, where: string): Float32Array {
  const list = ArrayBuffer.isView(values) ? Float32Array.from(values as Float32Array) : new Float32Array(0);
  const wanted = column.endsWith("log_estimate") ? (x: number) => x <= 0 : Number.isFinite;
  if (list.length === length && list.every((x) => wanted(x))) return list;
  return refuse(
    column,
    `${length} numbers, one per response token${column.endsWith("log_estimate") ? ", 0 or less" : ""}`,
    where,
  );
}

function readRows<T>(
  path: string,
  needed: readonly string[],
  of: (row: Record<string, unknown>, where: string) => T,
): T[] {
  const table = openArrow(path);
  try {
    const absent = needed.filter((name) => !table.columns.has(name));
    if (absent.length > 0)
      throw new UserError(`the file has no column ${absent.join(", ")}`, {
        where: path,
        fix: `It needs the columns ${needed.join(", ")}.`,
      });
    const columns = [...table.columns.keys()];
    return Array.from({ length: table.rows }, (_, index) => of(table.row(index, columns), `${path}, row ${index}`));
  } finally {
    table.close();
  }
}

function refuse(column: string, expected: string, where: string): never {
  const fix = column.endsWith("_ids")
    ? "Take ids of the tokenizer of the configured model."
    : "Write the file again, with that column in every row.";
  throw new UserError(`the column ${column} must hold ${expected}`, { where, fix });
}
