import type { UserError } from "../system/errors.ts";
import { letEventsIn } from "../system/event-loop.ts";
import type { Tokenizer } from "../text/index.ts";
import type { Row, SkippedRow } from "./dataset.ts";
import { textOf, tokenizeBatch, type RowResult, type RowText } from "./row-batch.ts";
import { startHelpers, type RowHelpers } from "./row-helpers.ts";
import type { RowTokenOptions } from "./row-tokens.ts";

/** A row whose reading ended with an error, where the reading goes on without it. */
export interface RefusedRow {
  rowId: number;
  refused: UserError;
}

export type ReadRow = Row | SkippedRow | RefusedRow;

/** When and how other threads are asked for help. */
export interface Helping {
  /** Seconds of work, and seconds that are left of it as it seems, before threads are started. */
  readonly worked: number;
  readonly left: number;
  /** Whether nothing is done until the threads have started. */
  readonly waits?: boolean;
  /** What a thread runs, as a `file:` URL. */
  readonly program?: string;
}

export const whereMuchIsLeft: Helping = { worked: 1, left: 8 };

export interface AheadOptions {
  /** How many rows there are. */
  readonly rows: number;
  /** Threads that tokenize, this one among them. */
  readonly threads: number;
  readonly helping: Helping;
  /** How rows become tokens. */
  readonly tokens: RowTokenOptions;
}

/** A row, and what became of it where that is known already. */
export interface RowAhead {
  readonly row: ReadRow;
  readonly result: RowResult;
}

const batchCharacters = 1 << 16;
const batchRows = 512;

interface Batch {
  readonly rows: readonly ReadRow[];
  /** What of the rows is text. */
  readonly texts: readonly RowText[];
  isGiven: boolean;
  /** One for each text; undefined if they must be asked for again. */
  results?: readonly RowResult[] | undefined;
  done?: Promise<void>;
}

/**
 * The rows in their order, with their tokens where other threads have made them. Threads are started where there is much to
 * do; until then, and where they cannot help, rows come as they are read. What a row ends with is found by whoever
 * tokenizes it again: no error comes from another thread, and none comes before its row's turn. A few batches are
 * held in memory.
 */
export async function* tokensAhead(
  rows: AsyncIterable<ReadRow>,
  tokenizer: Tokenizer,
  { rows: total, threads, helping, tokens }: AheadOptions,
): AsyncGenerator<RowAhead> {
  const reading = rows[Symbol.asyncIterator]();
  let helpers: RowHelpers | undefined;
  try {
    const start = performance.now();
    let done = 0;
    const isLong = (): boolean => {
      const seconds = (performance.now() - start) / 1000;
      return seconds >= helping.worked && (seconds / done) * (total - done) >= helping.left;
    };
    for (let next = await reading.next(); next.done !== true; next = await reading.next()) {
      yield { row: next.value, result: undefined };
      done++;
      if (threads < 2 || done % 16 !== 0 || helpers !== undefined || !isLong()) continue;
      helpers = startHelpers(tokenizer, tokens, { count: threads - 1, program: helping.program });
      if (helpers === undefined) continue;
      if (helping.waits === true) await helpers.started;
      yield* together(reading, helpers, 3 * threads, (texts) => tokenizeBatch(texts, tokenizer, tokens));
      return;
    }
  } finally {
    helpers?.close();
    await reading.return?.();
  }
}

/** Reads ahead, gives batches to helpers that are free, and computes others while the first is not done. */
async function* together(
  reading: AsyncIterator<ReadRow>,
  helpers: RowHelpers,
  most: number,
  tokenizeHere: (texts: readonly RowText[]) => readonly RowResult[],
): AsyncGenerator<RowAhead> {
  const batches: Batch[] = [];
  const reader = batchReader(reading);
  const give = (): void => {
    for (const batch of batches) {
      if (batch.isGiven) continue;
      if (!helpers.isFree()) return;
      batch.isGiven = true;
      batch.done = helpers.tokenize(batch.texts).then((results) => void (batch.results = results));
    }
  };
  for (;;) {
    while (batches.length < most) {
      const batch = await reader.next();
      if (batch === undefined) break;
      batches.push(batch);
      give();
    }
    const [first] = batches;
    if (first === undefined) break;
    while (first.isGiven && !(await isDone(first))) {
      const other = batches.find(({ isGiven }) => !isGiven);
      if (other === undefined) await first.done;
      else {
        other.isGiven = true;
        other.results = tokenizeHere(other.texts);
        give();
      }
    }
    batches.shift();
    yield* inOrder(first);
  }
  reader.rethrow();
}

/** Whether a batch's results are there, once those that have arrived are let in. */
async function isDone({ done, results }: Batch): Promise<boolean> {
  if (done === undefined || results !== undefined) return true;
  await letEventsIn();
  return Promise.race([done.then(() => true), Promise.resolve(false)]);
}

function* inOrder({ rows, results }: Batch): Generator<RowAhead> {
  let next = 0;
  for (const row of rows) yield { row, result: isText(row) ? results?.[next++] : undefined };
}

const isText = (row: ReadRow): row is Row => !("skipped" in row) && !("refused" in row) && row.tokens === undefined;

/** Reads rows in batches; what the reading ends with is kept until all before it is used. */
function batchReader(reading: AsyncIterator<ReadRow>): { next(): Promise<Batch | undefined>; rethrow(): void } {
  let ended: { error?: unknown } | undefined;
  return {
    async next() {
      const rows: ReadRow[] = [];
      const texts: RowText[] = [];
      let characters = 0;
      while (ended === undefined && rows.length < batchRows && characters < batchCharacters) {
        try {
          const { done, value } = await reading.next();
          if (done === true) ended = {};
          else {
            rows.push(value);
            if (!isText(value)) continue;
            const text = textOf(value);
            texts.push(text);
            characters += charactersOf(text);
          }
        } catch (error) {
          ended = { error };
        }
      }
      return rows.length === 0 ? undefined : { rows, texts, isGiven: false };
    },
    rethrow() {
      if (ended !== undefined && "error" in ended) throw ended.error;
    },
  };
}

function charactersOf({ messages, prompt = "", response = "" }: RowText): number {
  if (messages === undefined) return prompt.length + response.length;
  return messages.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
}
