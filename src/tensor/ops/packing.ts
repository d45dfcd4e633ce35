import * as tf from "@tensorflow/tfjs-core";

/** Some consecutive rows of a packed batch, and the width they are padded to. */
export interface RowGroup {
  /** First packed token of the group, and their number. */
  first: number;
  tokens: number;
  lengths: number[];
  width: number;
}

/**
 * Splits the rows into consecutive groups, so that `rows * perSquare * width^2` of a group stays below `limit`
 * wherever it holds more than one row.
 */
export function groupRows(starts: Int32Array, perSquare: number, limit: number): RowGroup[] {
  const groups: RowGroup[] = [];
  for (let row = 0; row + 1 < starts.length; row++) {
    const length = starts[row + 1]! - starts[row]!;
    const last = groups.at(-1);
    const width = Math.max(last?.width ?? 0, length);
    if (last !== undefined && (last.lengths.length + 1) * perSquare * width * width <= limit) {
      last.lengths.push(length);
      last.tokens += length;
      last.width = width;
    } else groups.push({ first: starts[row]!, tokens: length, lengths: [length], width: length });
  }
  return groups.filter((group) => group.tokens > 0);
}

/** The group's part of a packed `[N, D]` tensor, padded with zeros to `[rows, width, D]`. */
export function padRows(packed: tf.Tensor2D, group: RowGroup): tf.Tensor3D {
  const { first, tokens, lengths, width } = group;
  const depth = packed.shape[1];
  const own = tokens === packed.shape[0] ? packed : tf.slice(packed, [first, 0], [tokens, depth]);
  const shape: [number, number, number] = [lengths.length, width, depth];
  if (tokens === lengths.length * width) return tf.reshape(own, shape);
  const zeroRow = tokens;
  const index = new Int32Array(lengths.length * width).fill(zeroRow);
  forEachToken(group, (token, slot) => (index[slot] = token));
  const extended = tf.concat([own, tf.zeros<tf.Rank.R2>([1, depth])]);
  return tf.reshape(tf.gather(extended, tf.tensor1d(index, "int32")), shape);
}

/** Inverse of `padRows`: `[rows, width, D]` -> the group's packed tokens `[tokens, D]`. */
export function unpadRows(padded: tf.Tensor3D, group: RowGroup): tf.Tensor2D {
  const slots = group.lengths.length * group.width;
  const flat: tf.Tensor2D = tf.reshape(padded, [slots, padded.shape[2]]);
  if (group.tokens === slots) return flat;
  const index = new Int32Array(group.tokens);
  forEachToken(group, (token, slot) => (index[token] = slot));
  return tf.gather(flat, tf.tensor1d(index, "int32"));
}

function forEachToken({ lengths, width }: RowGroup, visit: (token: number, slot: number) => void): void {
  let token = 0;
  lengths.forEach((length, row) => {
    for (let t = 0; t < length; t++) visit(token++, row * width + t);
  });
}
