import { UserError } from "../../system/errors.ts";
import { DamagedFile } from "../damaged.ts";
import { decompressPage } from "./compression.ts";
import { decodePlain, decodeRuns, decodeValues, prefixed } from "./encodings.ts";
import type { Chunk } from "./footer.ts";
import type { Leaf } from "./schema.ts";
import { readThrift, structAt, wholeNumber, type ThriftStruct } from "./thrift.ts";

/** One column of one row group: an entry for each value, null and empty list, with what is needed to nest them. */
export interface Column {
  /** How far down the entry is there; undefined where every entry is a value. */
  readonly definition: Uint8Array | undefined;
  /** Which list the entry goes on with, 0 in the first of a row; undefined where every row has one entry. */
  readonly repetition: Uint8Array | undefined;
  /** The values that are there, as they are stored. */
  readonly values: unknown[];
  /** First entry of each row, and its end; undefined where every row has one entry. */
  readonly rows: Uint32Array | undefined;
  /** How many values come before each row; undefined where every entry is a value. */
  readonly before: Uint32Array | undefined;
}

/** What is left of the memory that decoding a row group may take. */
export interface Budget {
  bytes: number;
  values: number;
}

/** Kinds of pages; 0 is a data page of the first version. */
const [INDEX_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2] = [1, 2, 3] as const;

/**
 * Decodes a column of a row group.
 *
 * @param bytes of the whole chunk
 * @throws DamagedFile where pages contradict each other or their headers
 */
export function readColumn(
  bytes: Uint8Array,
  { codec, values: total }: Chunk,
  leaf: Leaf,
  rows: number,
  budget: Budget,
): Column {
  const { definition: deepest, maxRepetition } = leaf;
  budget.values -= total;
  if (budget.values < 0)
    throw new DamagedFile(`${leaf.path.join(".")} claims ${total} values in ${bytes.length} bytes`);
  const definition = deepest > 0 ? new Uint8Array(total) : undefined;
  const repetition = maxRepetition > 0 ? new Uint8Array(total) : undefined;
  const values: unknown[] = [];
  let dictionary: ArrayLike<unknown> | undefined;
  let entries = 0;
  for (let at = 0; entries < total;) {
    const page = readPage(bytes, at, codec, budget);
    at = page.next;
    if (page.kind === INDEX_PAGE) continue;
    if (page.kind === DICTIONARY_PAGE) {
      if (leaf.kind !== "none") dictionary = decodePlainDictionary(page, leaf);
      continue;
    }
    const levels = levelsOf(page, leaf, total - entries);
    if (levels.definition) definition!.set(levels.definition, entries);
    if (levels.repetition) repetition!.set(levels.repetition, entries);
    const present = levels.definition ? countOf(levels.definition, deepest) : levels.count;
    entries += levels.count;
    if (leaf.kind === "none") continue;
    const { values: stored, isIndices } = decodeValues(levels.rest, levels.encoding, leaf, present, budget.bytes);
    append(values, stored as ArrayLike<unknown>, present, isIndices ? dictionary : undefined, isIndices);
  }
  return { definition, repetition, values, ...placesOf(definition, repetition, deepest, rows) };
}

interface Page {
  readonly kind: number;
  readonly header: ThriftStruct;
  /** Decompressed; of a page of the second version, levels and values. */
  readonly body: Uint8Array;
  readonly next: number;
}

function readPage(bytes: Uint8Array, at: number, codec: number, budget: Budget): Page {
  const { value: header, next: start } = readThrift(bytes, at);
  const kind = wholeNumber(header, 1, "the kind of a page");
  const length = wholeNumber(header, 2, "the size of a page", 2 ** 31 - 1);
  const next = start + wholeNumber(header, 3, "the compressed size of a page", 2 ** 31 - 1);
  if (next > bytes.length) throw new DamagedFile("a page leaves its column");
  if (kind > DATA_PAGE_V2) throw new DamagedFile(`a page of unknown kind ${kind}`);
  const stored = bytes.subarray(start, next);
  if (kind === INDEX_PAGE) return { kind, header, body: stored, next };
  budget.bytes -= length;
  if (budget.bytes < 0) throw new DamagedFile(`a page claims ${length} bytes, more than a row group may take`);
  if (kind !== DATA_PAGE_V2) return { kind, header, body: decompressPage(codec, stored, length), next };
  const facts = factsOf(header, 8);
  const levels = levelBytes(facts);
  if (levels > stored.length || levels > length) throw new DamagedFile("a page is shorter than its levels");
  const isCompressed = facts.fields.get(7) !== false && length > levels;
  const body = decompressPage(isCompressed ? codec : 0, stored.subarray(levels), length - levels);
  return { kind, header, body: Buffer.concat([stored.subarray(0, levels), body]), next };
}

function factsOf(header: ThriftStruct, field: number): ThriftStruct {
  const facts = structAt(header, field);
  if (facts === undefined) throw new DamagedFile("a page's header says nothing of its values");
  return facts;
}

function levelBytes(facts: ThriftStruct): number {
  return wholeNumber(facts, 5, "the size of levels") + wholeNumber(facts, 6, "the size of levels");
}

function decodePlainDictionary({ header, body }: Page, leaf: Leaf): ArrayLike<unknown> {
  return decodePlain(
    body,
    leaf,
    wholeNumber(factsOf(header, 7), 1, "the size of a dictionary", body.length * 8),
  ) as ArrayLike<unknown>;
}

interface Levels {
  readonly count: number;
  readonly definition: number[] | undefined;
  readonly repetition: number[] | undefined;
  readonly encoding: number;
  readonly rest: Uint8Array;
}

function levelsOf({ kind, header, body }: Page, leaf: Leaf, limit: number): Levels {
  const isSecond = kind === DATA_PAGE_V2;
  const facts = factsOf(header, isSecond ? 8 : 5);
  const count = wholeNumber(facts, 1, "the number of values of a page", limit);
  const encoding = wholeNumber(facts, isSecond ? 4 : 2, "the encoding of a page");
  if (!isSecond) requireRuns(facts, leaf);
  let rest = body;
  const next = (deepest: number, length: number | undefined): number[] | undefined => {
    if (length === undefined && deepest === 0) return undefined;
    const bytes = length === undefined ? prefixed(rest, 0) : rest.subarray(0, length);
    rest = rest.subarray(bytes.length + (length === undefined ? 4 : 0));
    if (deepest === 0) return undefined;
    const levels = decodeRuns(bytes, 32 - Math.clz32(deepest), count);
    if (levels.some((level) => level > deepest)) throw new DamagedFile(`a level beyond ${deepest}`);
    return levels;
  };
  const repetition = next(leaf.maxRepetition, isSecond ? wholeNumber(facts, 6, "the size of levels") : undefined);
  const definition = next(leaf.definition, isSecond ? wholeNumber(facts, 5, "the size of levels") : undefined);
  // the decoders need memory that ends where the values do
  return { count, definition, repetition, encoding, rest: Uint8Array.prototype.slice.call(rest) };
}

const RUNS = 3;

/** Levels of pages of the first version may be packed in an older way, which no writer has used since 2013. */
function requireRuns(facts: ThriftStruct, { path, definition, maxRepetition }: Leaf): void {
  for (const [field, deepest] of [[3, definition] as const, [4, maxRepetition] as const]) {
    const encoding = deepest === 0 ? RUNS : wholeNumber(facts, field, "the encoding of levels");
    if (encoding === RUNS) continue;
    throw new UserError(
      "unsupported-file",
      `the levels of ${path.join(".")} have the encoding ${encoding}, not ${RUNS}`,
      {
        fix: "Write the file again, in Python: pyarrow.parquet.write_table(table, path).",
      },
    );
  }
}

function countOf(levels: readonly number[], wanted: number): number {
  let count = 0;
  for (const level of levels) if (level === wanted) count++;
  return count;
}

function append(
  values: unknown[],
  stored: ArrayLike<unknown>,
  count: number,
  dictionary: ArrayLike<unknown> | undefined,
  isIndices: boolean,
): void {
  if (stored.length < count) throw new DamagedFile("a page has fewer values than its levels say");
  if (isIndices && dictionary === undefined) throw new DamagedFile("a dictionary is missing");
  for (let i = 0; i < count; i++) {
    if (dictionary === undefined) values.push(stored[i]);
    else {
      const index = stored[i] as number;
      if (!(index >= 0 && index < dictionary.length))
        throw new DamagedFile(`a value refers to entry ${index} of a dictionary of ${dictionary.length}`);
      values.push(dictionary[index]);
    }
  }
}

function placesOf(
  definition: Uint8Array | undefined,
  repetition: Uint8Array | undefined,
  deepest: number,
  rows: number,
): Pick<Column, "rows" | "before"> {
  const starts = repetition && new Uint32Array(rows + 1);
  const before = definition && new Uint32Array(rows + 1);
  const entries = definition?.length ?? repetition?.length ?? rows;
  let row = 0;
  let present = 0;
  for (let i = 0; i < entries; i++) {
    if (!repetition || repetition[i] === 0) {
      if (row >= rows) throw new DamagedFile(`a column has more than ${rows} rows`);
      if (starts) starts[row] = i;
      if (before) before[row] = present;
      row++;
    } else if (row === 0) throw new DamagedFile("a column begins in the middle of a row");
    if (definition?.[i] === deepest) present++;
  }
  if (row !== rows) throw new DamagedFile(`a column has ${row} rows instead of ${rows}`);
  if (starts) starts[rows] = entries;
  if (before) before[rows] = present;
  return { rows: starts, before };
}
