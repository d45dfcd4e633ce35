import { JsonRefused, parseBoundedJson } from "../../system/bounded-json.ts";
import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import { show } from "../fields.ts";
import type { StoredEncoding } from "../../tensor/stored-weight.ts";
import { bfloat16, elementCount, float16, float32, type StoredTensor } from "./encoding.ts";
import type { RandomAccessFile } from "./file.ts";

const encodings = new Map<unknown, StoredEncoding>(
  [float32, float16, bfloat16].map((encoding) => [encoding.name, encoding]),
);
const largestHeader = 100_000_000; // bytes; the limit of the reference implementation

/**
 * Reads the header of a safetensors file: 8 bytes length, JSON, data
 * (format: https://github.com/huggingface/safetensors#format).
 * @returns the tensors by name; nothing of the data is read
 * @throws UserError unless every tensor lies inside the file, no two share bytes and no byte is left over
 */
export async function readSafetensorsHeader(file: RandomAccessFile): Promise<Map<string, StoredTensor>> {
  return (await readSafetensors(file)).tensors;
}

/** The same with the texts that the file says beside them. */
export async function readSafetensors(
  file: RandomAccessFile,
): Promise<{ tensors: Map<string, StoredTensor>; metadata: ReadonlyMap<string, string> }> {
  const where = file.path;
  const broken = (what: string): UserError =>
    new UserError("damaged-file", what, {
      where,
      fix: "The file is damaged or not in safetensors format: fetch or save it again.",
    });
  if (file.size < 8) throw broken(`a file of ${file.size} bytes is too short for a safetensors header`);
  const prefix = new Uint8Array(8);
  await file.read(0, prefix);
  const length = Number(new DataView(prefix.buffer).getBigUint64(0, true));
  if (length > largestHeader) throw broken(`the header claims ${length} bytes; at most ${largestHeader} are allowed`);
  if (8 + length > file.size) throw broken(`the header claims ${length} bytes, more than the file has`);

  const bytes = new Uint8Array(length);
  await file.read(8, bytes);
  const header = parseHeader(bytes, broken);
  const tensors = new Map<string, StoredTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") tensors.set(name, storedTensor(name, entry, 8 + length, file.size, broken));
  }
  requireFullCover([...tensors.values()], 8 + length, file.size, broken);
  return { tensors, metadata: metadataOf(header["__metadata__"], broken) };
}

function metadataOf(said: unknown, broken: Broken): Map<string, string> {
  if (said === undefined || said === null) return new Map();
  if (!isRecord(said)) throw broken("__metadata__ is no object");
  const other = Object.entries(said).find(([, value]) => typeof value !== "string");
  if (other !== undefined) throw broken(`__metadata__ has ${show(other[1])} where a text was expected`);
  return new Map(Object.entries(said) as [string, string][]);
}

type Broken = (what: string) => UserError;

function parseHeader(bytes: Uint8Array, broken: Broken): Record<string, unknown> {
  let header: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    header = parseBoundedJson(text, { uniqueKeys: true });
  } catch (error) {
    const reason = (error as Error).message.slice(0, 200);
    throw broken(
      error instanceof JsonRefused ? `the header is refused: ${reason}` : `the header is not JSON (${reason})`,
    );
  }
  if (!isRecord(header)) throw broken("the header is not a JSON object");
  return header;
}

function storedTensor(name: string, entry: unknown, start: number, fileSize: number, broken: Broken): StoredTensor {
  const label = `tensor ${show(name)}`;
  if (!isRecord(entry)) throw broken(`${label} has no description`);
  const { dtype, shape, data_offsets: offsets } = entry;
  const count = elementCount(shape);
  if (count === undefined) throw broken(`${label} has an impossible shape`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || elementCount(offsets.slice(0, 1)) === undefined) {
    throw broken(`${label} has impossible data_offsets`);
  }
  const [first, end] = offsets as [number, unknown];
  if (typeof end !== "number" || !Number.isSafeInteger(end) || end < first || end > fileSize - start) {
    throw broken(`${label} lies outside the file`);
  }
  const encoding = encodings.get(dtype);
  if (encoding === undefined) {
    throw new UserError("unsupported-file", `${label} has the type ${show(dtype)}, which is not supported`, {
      fix: `Supported are ${[...encodings.keys()].join(", ")}: save the model in one of these.`,
    });
  }
  if (count * encoding.blockBytes !== end - first) {
    throw broken(`${label} of shape [${(shape as number[]).join(", ")}] cannot fill ${end - first} bytes`);
  }
  return { name, shape: shape as number[], encoding, offset: start + first, bytes: end - first };
}

function requireFullCover(tensors: StoredTensor[], start: number, end: number, broken: Broken): void {
  tensors.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let covered = start;
  for (const { name, offset, bytes } of tensors) {
    if (offset < covered) throw broken(`tensor ${show(name)} overlaps another`);
    if (offset > covered) throw broken(`${offset - covered} bytes before tensor ${show(name)} belong to no tensor`);
    covered += bytes;
  }
  if (covered !== end) throw broken(`${end - covered} bytes at the end of the file belong to no tensor`);
}
