import { writeArrow } from "../../data/arrow/write.ts";
import type { ColumnType } from "../../data/arrow/columns.ts";
import { readRows, type Drawn, type RowCells } from "../kit/responses/index.ts";

/** One side of a pair. */
export interface PairedText extends Pick<Drawn, "prompt" | "ids" | "finished"> {
  /** The user's, one for each of `ids`. */
  readonly weights?: Float32Array;
}

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
  /** `log p_positive - log p_negative` of the contrasted models, nats. */
  readonly logRatio?: Float32Array;
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
const factColumns = {
  reference: "reference",
  log_estimate: "logEstimate",
  log_ratio: "logRatio",
  weights: "weights",
} as const;
const sides = ["chosen", "rejected"] as const;

export interface ReadOptions {
  /** Ids must be below it. */
  vocabularySize: number;
}

const weightColumns = { chosen_weights: "list<float32>", rejected_weights: "list<float32>" } as const;

/** Writes pairs, with the columns of weights where they have some. */
export function writePairs(path: string, pairs: readonly ResponsePair[]): void {
  const weighed = pairs.some(({ chosen, rejected }) => chosen.weights ?? rejected.weights);
  const weightsOf = ({ chosen, rejected }: ResponsePair) =>
    weighed ? { chosen_weights: chosen.weights, rejected_weights: rejected.weights } : {};
  const rows = pairs.map((pair) => ({ ...pairRow(pair), ...weightsOf(pair) }));
  writeArrow(path, { ...pairColumns, ...(weighed && weightColumns) }, rows);
}

/** Reads pairs, of ours or of another's making. Throws a UserError naming file, row and column. */
export function readPairs(path: string, { vocabularySize }: ReadOptions): ResponsePair[] {
  const columns = { needed: Object.keys(pairColumns), optional: Object.keys(weightColumns), vocabularySize };
  return readRows(path, columns, (row) => {
    const { question, chosen, rejected } = pairOf(row);
    const weighed = (text: PairedText, column: string): PairedText => {
      const isAbsent = (row.value(column) ?? null) === null;
      return isAbsent ? text : { ...text, weights: numbers(row, column, text.ids.length, "weights") };
    };
    return {
      question,
      chosen: weighed(chosen, "chosen_weights"),
      rejected: weighed(rejected, "rejected_weights"),
    };
  });
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
export function readScored(path: string, { vocabularySize }: ReadOptions): ScoredPair[] {
  const columnsOf = (fact: string): string[] => sides.map((side) => `${side}_${fact}`);
  const needed = [...Object.keys(pairColumns), ...columnsOf("reference")];
  const optional = [...columnsOf("log_estimate"), ...columnsOf("log_ratio"), ...columnsOf("weights")];
  return readRows(path, { needed, optional, vocabularySize }, (row) => {
    const pair = pairOf(row);
    const factsOf = (side: (typeof sides)[number]): TokenFacts => {
      const tokens = pair[side].ids.length;
      const given = Object.entries(factColumns).flatMap(([column, key]) => {
        const values = row.value(`${side}_${column}`);
        if (key !== "reference" && (values === undefined || values === null)) return [];
        return [[key, numbers(row, `${side}_${column}`, tokens, key)]];
      });
      return Object.fromEntries(given) as unknown as TokenFacts;
    };
    return { ...pair, facts: { chosen: factsOf("chosen"), rejected: factsOf("rejected") } };
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

function pairOf(row: RowCells): ResponsePair {
  const prompt = row.ids("prompt_ids");
  const sideOf = (side: string): PairedText => ({
    prompt,
    ids: row.ids(`${side}_ids`),
    finished: row.truth(`${side}_finished`),
  });
  return { question: row.count("question"), chosen: sideOf("chosen"), rejected: sideOf("rejected") };
}

/** What a number of each kind may be, and how that is said. */
const kinds: Record<keyof TokenFacts, { fits: (x: number) => boolean; named: string }> = {
  reference: { fits: (x) => Number.isFinite(x) && x <= 0, named: ", finite and 0 or less" },
  logEstimate: { fits: (x) => x <= 0, named: ", 0 or less" },
  logRatio: { fits: Number.isFinite, named: ", all finite" },
  weights: { fits: Number.isFinite, named: ", all finite" },
};

function numbers(row: RowCells, column: string, length: number, kind: keyof TokenFacts): Float32Array {
  const values = row.value(column);
  const list = ArrayBuffer.isView(values) ? Float32Array.from(values as Float32Array) : new Float32Array(0);
  const { fits, named } = kinds[kind];
  if (list.length === length && list.every((x) => fits(x))) return list;
  return row.refuse(column, `${length} numbers, one per response token${named}`);
}
