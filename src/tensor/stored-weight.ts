import { readSync } from "node:fs";
import * as tf from "@tensorflow/tfjs-core";

/** How numbers lie in a file: blocks of `blockBytes` bytes that each hold `blockValues` numbers. */
export interface StoredEncoding {
  /** As safetensors and GGUF call it: "BF16", "Q4_K". */
  readonly name: string;
  readonly blockValues: number;
  readonly blockBytes: number;
  /** Where in a block its 16-bit real numbers begin: the only ones that can be NaN or infinite. Absent for F32. */
  readonly halvesAt?: readonly number[];
  /** Widens whole blocks; `source` starts at a multiple of 4 in its buffer. */
  decode(source: Uint8Array, target: Float32Array): void;
}

/** A file that holds weights, open as long as they are used. */
export interface StoredFile {
  readonly descriptor: number;
  /** @throws UserError where the file was written to since it was opened */
  requireUnchanged(): void;
}

/**
 * A frozen matrix that stays in its file as the file holds it. Operations read the rows they need and widen them to
 * float32 beside the product, forward and backward from the same bytes, so values and gradients are those of the widened
 * matrix. It belongs to no engine; on one without a kernel for it, it is widened as a whole each time.
 */
export interface StoredWeight {
  readonly kind: "stored";
  /** `[outputs, inputs]`; a row is a whole number of blocks. */
  readonly shape: [rows: number, columns: number];
  readonly encoding: StoredEncoding;
  readonly file: StoredFile;
  /** Of the first row, in bytes from the start of the file. */
  readonly offset: number;
  /**
   * Where rows are a whole number of heads whose rotated pairs the file holds side by side, the rows of a head: row
   * `2 i + j` of a head in the file is row `j head / 2 + i` of the matrix. Else 0.
   */
  readonly head: number;
}

/** A matrix in an engine's memory, or one that stays in its file. */
export type Weight = tf.Tensor2D | StoredWeight;

export function isStored(weight: Weight): weight is StoredWeight {
  return "kind" in weight && weight.kind === "stored";
}

export function rowBytesOf({ shape, encoding }: Pick<StoredWeight, "shape" | "encoding">): number {
  return (shape[1] / encoding.blockValues) * encoding.blockBytes;
}

/** Rows `from .. from + count - 1`, in the same file. Where rows are in heads, whole heads. */
export function rowsOfStored(weight: StoredWeight, from: number, count: number): StoredWeight {
  return { ...weight, shape: [count, weight.shape[1]], offset: weight.offset + from * rowBytesOf(weight) };
}

/** Whether the engine in use reads weights where they are; on another one they are better widened once. */
export function readsStoredWeights(): boolean {
  return tf.getKernel("TokensiftStoredLinear", tf.getBackend()) !== undefined;
}

/** The matrix as a tensor: what every operation computes with. */
export function widened(weight: StoredWeight): tf.Tensor2D {
  return tf.tensor2d(widenedValues(weight), weight.shape);
}

/** The matrix as float32, row-major. */
export function widenedValues(weight: StoredWeight): Float32Array {
  const { shape, encoding, file, offset, head } = weight;
  const [rows, columns] = shape;
  const rowBytes = rowBytesOf(weight);
  const values = new Float32Array(rows * columns);
  const source = new Uint8Array(rowBytes);
  for (let row = 0; row < rows; row++) {
    readWhole(file.descriptor, offset + row * rowBytes, source);
    const target = (head === 0 ? row : rowOfPaired(row, head)) * columns;
    encoding.decode(source, values.subarray(target, target + columns));
  }
  return values;
}

/** Where a head's rotated pairs lie side by side, the row that a row is where they are in halves. */
export function rowOfPaired(row: number, head: number): number {
  const inHead = row % head;
  return row - inHead + (inHead % 2) * (head / 2) + Math.floor(inHead / 2);
}

function readWhole(file: number, position: number, target: Uint8Array): void {
  for (let done = 0; done < target.length;) {
    const length = readSync(file, target, done, target.length - done, position + done);
    if (length === 0) throw new Error("A file ended early that weights are read from");
    done += length;
  }
}
