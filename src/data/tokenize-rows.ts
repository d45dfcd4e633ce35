import { availableParallelism } from "node:os";
import { UserError } from "../system/errors.ts";
import { letEventsIn } from "../system/event-loop.ts";
import type { TokenizedRow, Tokenizer } from "../text/index.ts";
import { divideBy, undivided, type Divide, type Piece } from "./chunks.ts";
import type { Dataset, Row, SkippedRow } from "./dataset.ts";
import type { RowResult } from "./row-batch.ts";
import { tokensOfRow, type RowTokenOptions } from "./row-tokens.ts";
import { tokensAhead, whereMuchIsLeft, type Helping, type RefusedRow } from "./tokens-ahead.ts";
import { packedRowId, unpacked } from "./unpacked.ts";
import { weighed } from "./weighed.ts";

/** What becomes of rows on their way to tokens. */
export interface RowSink {
  /**
   * @param row of a chunk, with the chunk's number
   * @param whole the response marks of the row before it was cut or divided
   * @param cut takes the tokens' part out of a list of the whole row's tokens
   */
  add(
    row: Row,
    tokens: TokenizedRow,
    whole: () => Uint8Array,
    where: () => string,
    cut: Piece["cut"],
  ): void | Promise<void>;
  /** A row became so many chunks. */
  divided?(chunks: number): void;
  /** A row, or a text of a packed row, that gives nothing to train, and why. */
  skip(rowId: number, reason: string): void;
  /** A row that ends the reading, with what it ends with; if this is given, the reading goes on without the row. */
  refuse?(rowId: number, error: UserError): void;
}

export interface EachRowOptions extends RowTokenOptions {
  /** Threads that tokenize together where there is much to do, this one among them. Default: the machine's cores. */
  threads?: number | undefined;
  /** Called now and then with the rows done. */
  onProgress?: (done: number, total: number) => void;
}

const PROGRESS_EVERY = 500;

/** Tokenizes the rows of a dataset one after the other; one block of them is held in memory. */
export async function tokenizeEachRow(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: EachRowOptions,
  sink: RowSink,
  helping: Helping = whereMuchIsLeft,
): Promise<void> {
  const { onProgress, threads = availableParallelism() } = options;
  const { refuse } = sink;
  const divide = options.truncate === "chunk" ? divideBy(options, dataset, tokenizer) : undefined;
  const rows = refuse === undefined ? dataset.entries() : readableRows(dataset);
  const tokens = divide ? { ...options, maxTokens: undefined } : options;
  const ahead = { rows: dataset.length, threads, helping, tokens };
  for await (const { row, result } of tokensAhead(rows, tokenizer, ahead)) {
    const { rowId } = row;
    if (rowId % PROGRESS_EVERY === 0) {
      onProgress?.(rowId, dataset.length);
      await letEventsIn();
    }
    if ("skipped" in row) {
      sink.skip(rowId, row.skipped);
      continue;
    }
    if ("refused" in row) {
      refuse?.(rowId, row.refused);
      continue;
    }
    try {
      let number = 0;
      const nextId = divide && (() => packedRowId(rowId, number++));
      for (const part of unpacked(row))
        await tokenizePart(part, tokenizer, { ...options, divide, nextId, result }, sink, () => dataset.where(rowId));
    } catch (error) {
      if (refuse === undefined || !(error instanceof UserError)) throw error;
      refuse(rowId, error);
    }
  }
  onProgress?.(dataset.length, dataset.length);
}

interface PartOptions extends EachRowOptions {
  divide: Divide | undefined;
  nextId: (() => number) | undefined;
  /** The part's tokens, where they are known. */
  result: RowResult;
}

async function tokenizePart(
  part: Row,
  tokenizer: Tokenizer,
  { divide, nextId, result, ...options }: PartOptions,
  sink: RowSink,
  where: () => string,
): Promise<void> {
  const tokens = result ?? tokensOfRow(part, tokenizer, divide ? { ...options, maxTokens: undefined } : options, where);
  if ("skipped" in tokens) {
    sink.skip(part.rowId, tokens.skipped);
    return;
  }
  let full: Uint8Array | undefined;
  const whole = (): Uint8Array =>
    (full ??= tokens.truncated ? uncut(part, tokenizer, options, where) : tokens.response);
  const pieces = (divide ?? undivided)(weighed(part, tokens, whole, where), where);
  const trained = pieces
    .map((piece) => ({ ...piece, tokens: trainedOf(piece.tokens, where), rowId: nextId?.() ?? part.rowId }))
    .filter((piece) => piece.tokens.response.includes(1));
  if (trained.length === 0) sink.skip(part.rowId, "no response");
  const later: Row = { ...part };
  delete later.unused; // told with the first piece
  delete later.remarks;
  for (const [index, piece] of trained.entries())
    await sink.add({ ...(index === 0 ? part : later), rowId: piece.rowId }, piece.tokens, whole, where, piece.cut);
  if (pieces.length > 1) sink.divided?.(trained.length);
}

/** What of a row trains: never its first token, which nothing precedes. */
function trainedOf(row: TokenizedRow, where: () => string): TokenizedRow {
  const [trained, endOfTurn] = [row.response.slice(), row.endOfTurn.slice()];
  trained[0] = endOfTurn[0] = 0;
  const weights = row.dataWeights?.map((weight, t) => (t === 0 || weight === 0 ? 0 : weight));
  if (weights) requireFiniteWeights(weights, where);
  // numbers too small for float32 are 0
  if (weights) trained.forEach((mark, t) => (trained[t] = weights[t] === 0 ? 0 : mark));
  return { ...row, response: trained, endOfTurn, ...(weights && { dataWeights: weights }) };
}

function requireFiniteWeights(weights: Float32Array, where: () => string): void {
  const bad = weights.findIndex((weight) => !Number.isFinite(weight));
  if (bad < 0) return;
  throw new UserError("invalid-weight", `the data give token ${bad} the weight ${weights[bad]}`, {
    where: where(),
    fix: "Weights are finite numbers that 32 bits hold.",
  });
}

/** The response marks of a row as they were before it was cut. */
function uncut(row: Row, tokenizer: Tokenizer, options: RowTokenOptions, where: () => string): Uint8Array {
  const tokens = tokensOfRow(row, tokenizer, { ...options, maxTokens: undefined }, where);
  return "skipped" in tokens ? new Uint8Array() : tokens.response;
}

/** The rows that can be read, and those that cannot; the reading begins again behind each of these. */
export async function* readableRows(dataset: Dataset): AsyncGenerator<Row | SkippedRow | RefusedRow> {
  for (let next = 0; next < dataset.length;) {
    try {
      for await (const row of dataset.entries(next)) {
        yield row;
        next = row.rowId + 1;
      }
      return;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      yield { rowId: next++, refused: error };
    }
  }
}
