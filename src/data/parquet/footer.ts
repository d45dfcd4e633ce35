import { UserError } from "../../system/errors.ts";
import { DamagedFile } from "../damaged.ts";
import { leavesOf, readSchema, type Leaf, type Node } from "./schema.ts";
import { optionalNumber, readThrift, structAt, structsAt, textsAt, wholeNumber, type ThriftStruct } from "./thrift.ts";

/** Where one column of a row group lies in the file. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
  readonly codec: number;
  readonly values: number;
}

export interface RowGroup {
  readonly rows: number;
  /** By `Leaf.index`. */
  readonly chunks: readonly Chunk[];
}

export interface Footer {
  readonly nodes: readonly Node[];
  readonly groups: readonly RowGroup[];
}

const MAGIC = "PAR1";
const ENCRYPTED_MAGIC = "PARE";
const TAIL_BYTES = 8;
const MAX_FOOTER_BYTES = 256 * 2 ** 20;
/** A row group is decoded as a whole. */
const MAX_GROUP_ROWS = 2 ** 24;

/**
 * What the end of a Parquet file says of the rest.
 *
 * @param read gives bytes of the file, which lie in it
 */
export function readFooter(size: number, read: (from: number, to: number) => Uint8Array): Footer {
  const head = size < MAGIC.length ? MAGIC : Buffer.from(read(0, MAGIC.length)).toString("latin1");
  if (head !== MAGIC && head !== ENCRYPTED_MAGIC)
    throw new UserError("wrong-file-kind", "this is no Parquet file: it does not begin like one");
  if (size < MAGIC.length + TAIL_BYTES) throw new DamagedFile("the file is cut short");
  const tail = Buffer.from(read(size - TAIL_BYTES, size));
  const magic = tail.toString("latin1", 4);
  if (magic === ENCRYPTED_MAGIC)
    throw new UserError("unsupported-file", "the file is encrypted", { fix: "Write it without encryption." });
  if (magic !== MAGIC) throw new DamagedFile("it does not end as a Parquet file does: it is cut short");
  const length = tail.readUInt32LE(0);
  const start = size - TAIL_BYTES - length;
  if (start < MAGIC.length || length > MAX_FOOTER_BYTES)
    throw new DamagedFile(`the footer claims ${length} bytes in a file of ${size}`);
  const { value: footer } = readThrift(read(start, size - TAIL_BYTES), 0);
  const nodes = readSchema(structsAt(footer, 2, "the schema"));
  const leaves = nodes.flatMap(leavesOf);
  const groups = structsAt(footer, 4, "the row groups").flatMap((group) => readGroup(group, leaves, start));
  const rows = wholeNumber(footer, 3, "the number of rows");
  const sum = groups.reduce((total, group) => total + group.rows, 0);
  if (sum !== rows) throw new DamagedFile(`the file claims ${rows} rows, its row groups ${sum}`);
  return { nodes, groups };
}

function readGroup(group: ThriftStruct, leaves: readonly Leaf[], limit: number): RowGroup[] {
  const rows = wholeNumber(group, 3, "the number of rows of a row group");
  if (rows === 0) return []; // pyarrow says of its columns that they lie at the file's beginning
  if (rows > MAX_GROUP_ROWS) {
    throw new UserError("too-large", `a row group claims ${rows} rows; at most ${MAX_GROUP_ROWS} are read at once`, {
      fix: "Write the file with smaller row groups (pyarrow: row_group_size=10000).",
    });
  }
  const columns = structsAt(group, 1, "the columns of a row group");
  if (columns.length !== leaves.length)
    throw new DamagedFile(`a row group has ${columns.length} columns, the schema ${leaves.length}`);
  return [{ rows, chunks: leaves.map((leaf, i) => readChunk(columns[i]!, leaf, rows, limit)) }];
}

function readChunk(column: ThriftStruct, leaf: Leaf, rows: number, limit: number): Chunk {
  const name = leaf.path.join(".");
  const facts = structAt(column, 3);
  if (column.fields.has(1))
    throw new UserError("unsupported-file", `the column ${name} lies in another file, which is not read`);
  if (facts === undefined || column.fields.has(8))
    throw new UserError("unsupported-file", `the column ${name} is encrypted`, { fix: "Write it without encryption." });
  const path = textsAt(facts, 3, `the path of ${name}`);
  if (path.length !== leaf.path.length || path.some((part, i) => part !== leaf.path[i]))
    throw new DamagedFile(`${name} stands where the row group has ${path.join(".")}`);
  const dataAt = wholeNumber(facts, 9, `the place of ${name}`);
  const dictionaryAt = optionalNumber(facts, 11, `the place of the dictionary of ${name}`) ?? 0;
  // some writers state the place of a dictionary that is not there as 0
  const start = dictionaryAt > 0 ? Math.min(dictionaryAt, dataAt) : dataAt;
  const end = start + wholeNumber(facts, 7, `the size of ${name}`);
  if (start < MAGIC.length || end > limit) throw new DamagedFile(`${name} leaves the file`);
  const values = wholeNumber(facts, 5, `the number of values of ${name}`);
  if (values < rows || (leaf.maxRepetition === 0 && values !== rows))
    throw new DamagedFile(`${name} has ${values} values in ${rows} rows`);
  return { start, end, codec: wholeNumber(facts, 4, `the compression of ${name}`), values };
}
