import * as tf from "@tensorflow/tfjs-core";
import { BACKEND, type CpuBackend } from "./backend.ts";
import type { Machine } from "./machine.ts";

/** Rows of a block in the scope of `inRowBlocks`. */
export const ROW_BLOCK = 16;
/** Columns of a block at most. */
const COLUMNS = 512;
/** Multiplications that take as long as a simpler kernel takes to touch a float. */
const PER_FLOAT = 16;

/**
 * Runs `body` with products `x weight^T` computed in blocks of 16 rows of x. Libraries add up in another order for other
 * numbers of rows; so a row of a whole block has the same bits whatever rows there are beside it, and however many. On
 * other engines than this one it is `body()`, and nothing is promised.
 */
export function inRowBlocks<T>(body: () => T): T {
  if (tf.getBackend() !== BACKEND) return body();
  const { machine } = tf.backend() as CpuBackend;
  const before = machine.inRowBlocks;
  machine.inRowBlocks = true;
  try {
    return body();
  } finally {
    machine.inRowBlocks = before;
  }
}

/** Sizes of `C [M, N] = A [M, K] B [N, K]^T` and the matrices' byte offsets. */
interface Operands {
  M: number;
  N: number;
  K: number;
  a: number;
  b: number;
  c: number;
}

/** Every block by one call of the library, of the same sizes whatever M is; the last is smaller where M is not a multiple. */
export function multiplyInRowBlocks(machine: Machine, { M, N, K, a, b, c }: Operands): void {
  const columns = Math.min(COLUMNS, Math.max(96, Math.ceil(N / 48) * 12)); // a quarter: work for four threads
  const blocks = Math.ceil(M / ROW_BLOCK) * Math.ceil(N / columns);
  const size = ROW_BLOCK * columns;
  machine.withScratch(machine.threads * size * 4, (scratch) => {
    machine.run("productTurned", blocks, (size * K) / PER_FLOAT, M, N, K, a, b, c, ROW_BLOCK, columns, scratch);
  });
}
