import { compressionRegistry, type CompressionType, type Data } from "apache-arrow";
import { DamagedFile } from "../damaged.ts";
import { child, field, number, root, tables, vector, type Table } from "./flatbuffer.ts";

// A list view has for each list where it begins and how many items it has, so that lists may overlap and come in any
// order. apache-arrow knows lists alone, whose buffers are the same but for that of the sizes. So a schema is given to it
// with lists in place of the views, and batches without the buffers of sizes, which are kept here.
// Source: https://arrow.apache.org/docs/format/Columnar.html#listview-layout

const [LIST, LARGE_LIST, VIEW, LARGE_VIEW] = [12, 21, 25, 26] as const;
/** Buffers of a column by its type's number, without those of its children; 2 for numbers and times. */
const BUFFERS: Readonly<Record<number, number>> = {
  1: 0,
  4: 3,
  5: 3,
  13: 1,
  16: 1,
  19: 3,
  20: 3,
  [VIEW]: 3,
  [LARGE_VIEW]: 3,
};
const [UNION, BYTES_VIEW, TEXT_VIEW] = [14, 23, 24] as const;
const DENSE = 1;

/** How the buffers of a column lie in its batch. */
interface Shape {
  readonly buffers: number;
  readonly isView: boolean;
  readonly isLarge: boolean;
  /** Whether the batch says how many more buffers it has. */
  readonly isVariadic: boolean;
  readonly children: readonly Shape[];
}

/** The sizes of a column's lists. */
export type Sizes = Int32Array | BigInt64Array;

/** A schema whose list views are called lists, and where they are. */
export interface ListViews {
  readonly schema: Uint8Array;
  readonly shapes: readonly Shape[];
}

/** Puts lists in place of the list views in the message of a schema, which was verified; undefined where it has none. */
export function listViewsOf(message: Uint8Array): ListViews | undefined {
  const schema = Uint8Array.prototype.slice.call(message);
  let found = false;
  const shapeOf = (column: Table): Shape => {
    const type = number(column, 2, 1);
    const isView = type === VIEW || type === LARGE_VIEW;
    if (isView) {
      found = true;
      schema[field(column, 2, 1)!] = type === VIEW ? LIST : LARGE_LIST;
    }
    const isCoded = child(column, 4) !== undefined; // a dictionary's numbers
    return {
      buffers: isCoded ? 2 : buffersOf(column, type),
      isView,
      isLarge: type === LARGE_VIEW,
      isVariadic: !isCoded && (type === BYTES_VIEW || type === TEXT_VIEW),
      children: isCoded ? [] : [...tables(column, 5)].map(shapeOf),
    };
  };
  const shapes = [...tables(child(root(message), 2)!, 1)].map(shapeOf);
  return found ? { schema, shapes } : undefined;
}

function buffersOf(column: Table, type: number): number {
  if (type === UNION) return number(child(column, 3)!, 0, 2) === DENSE ? 2 : 1;
  return BUFFERS[type] ?? 2;
}

/**
 * Takes the buffers of sizes out of a record batch, in the order of its columns.
 *
 * @param metadata of the batch, which was verified; it is changed
 */
export function takeSizes(metadata: Uint8Array, body: Uint8Array, { shapes }: ListViews): Sizes[] {
  const batch = child(root(metadata), 2)!;
  const { view } = batch.buffer;
  const { at, count } = vector(batch, 2, 16);
  const more = vector(batch, 4, 8);
  const compression = child(batch, 3);
  const codec = compression && (number(compression, 0, 1) as CompressionType);
  const taken = new Set<number>();
  const sizes: Sizes[] = [];
  let [next, nextMore] = [0, 0];
  const visit = ({ buffers, isView, isLarge, isVariadic, children }: Shape): void => {
    const first = next;
    next += buffers;
    if (isVariadic && nextMore < more.count) next += Number(view.getBigInt64(more.at + 8 * nextMore++, true));
    if (next > count) throw new DamagedFile("a record batch has fewer buffers than its columns");
    if (isView) {
      const entry = at + 16 * (first + 2);
      const start = Number(view.getBigInt64(entry, true));
      const bytes = plain(body.subarray(start, start + Number(view.getBigInt64(entry + 8, true))), codec);
      sizes.push(
        isLarge ? new BigInt64Array(bytes, 0, bytes.byteLength >> 3) : new Int32Array(bytes, 0, bytes.byteLength >> 2),
      );
      taken.add(first + 2);
    }
    children.forEach(visit);
  };
  shapes.forEach(visit);
  let kept = 0;
  for (let buffer = 0; buffer < count; buffer++) {
    if (taken.has(buffer)) continue;
    metadata.copyWithin(at + 16 * kept++, at + 16 * buffer, at + 16 * (buffer + 1));
  }
  view.setUint32(at - 4, kept, true);
  return sizes;
}

/** The bytes of a buffer in memory of their own, decompressed: compressed ones begin with their length, or -1 for none. */
function plain(bytes: Uint8Array, codec: CompressionType | undefined): ArrayBuffer {
  if (codec === undefined || bytes.length === 0) return bytes.slice().buffer;
  if (bytes.length < 8) throw new DamagedFile("a compressed buffer has no length");
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true));
  if (length === -1) return bytes.slice(8).buffer;
  return compressionRegistry.get(codec)!.decode!(bytes.subarray(8)).slice().buffer as ArrayBuffer;
}

const sizesOfLists = new WeakMap<Data, Sizes>();

/** The sizes of the lists of a column that is a list view. */
export function sizesOf(data: Data): Sizes | undefined {
  return sizesOfLists.get(data);
}

/** Gives the sizes that were taken out of a batch back to its columns. */
export function giveSizes(columns: readonly Data[], { shapes }: ListViews, sizes: readonly Sizes[]): void {
  let next = 0;
  const visit = (data: Data | undefined, { isView, children }: Shape): void => {
    if (data === undefined) throw new DamagedFile("a column has fewer parts than its type");
    if (isView) sizesOfLists.set(data, sizes[next++]!);
    children.forEach((shape, i) => visit(data.children[i], shape));
  };
  shapes.forEach((shape, i) => visit(columns[i], shape));
}
