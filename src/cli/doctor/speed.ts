import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../../system/errors.ts";
import { releaseEngine, useEngine, type EngineInfo } from "../../tensor/engine.ts";

/** An engine and how fast it is. */
export interface Speed {
  /** The engine that `auto` takes, running; or why it did not start. */
  engine: EngineInfo | { error: string };
  /** Products of single-precision matrices, in 10^9 multiplications and additions a second. */
  gigaflops?: number;
  /** Sums of two vectors too large for caches, in 10^9 bytes a second read and written. */
  gigabytesPerSecond?: number;
}

/** Starts the engine that `auto` takes, measures it and releases it. */
export async function tryEngine(): Promise<Speed> {
  try {
    const engine = await useEngine("auto");
    return { engine, gigaflops: await measureProducts(), gigabytesPerSecond: await measureMemory() };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { engine: { error: error.message } };
  } finally {
    releaseEngine();
  }
}

/** Products of 512 x 512 matrices. */
async function measureProducts(): Promise<number> {
  const size = 512;
  const matrix = tf.tidy(() => tf.fill([size, size], 0.5));
  const seconds = await fastest(() => tf.matMul(matrix, matrix));
  matrix.dispose();
  return Number(((2 * size ** 3) / seconds / 1e9).toPrecision(3));
}

/** Sums of vectors of 32 MB. */
async function measureMemory(): Promise<number> {
  const size = 2 ** 23;
  const [a, b] = tf.tidy(() => [tf.fill([size], 0.5), tf.fill([size], 0.25)]);
  const seconds = await fastest(() => tf.add(a, b));
  tf.dispose([a, b]);
  return Number(((3 * 4 * size) / seconds / 1e9).toPrecision(3));
}

/** Seconds of the fastest of a few runs, each until a number of its result can be read. */
async function fastest(run: () => tf.Tensor): Promise<number> {
  let best = Infinity;
  const start = performance.now();
  for (let runs = 0; runs < 8 && performance.now() - start < 500; runs++) {
    const began = performance.now();
    const result = run();
    const number = tf.tidy(() => tf.slice(tf.reshape(result, [-1]), 0, 1));
    await number.data();
    best = Math.min(best, performance.now() - began);
    tf.dispose([result, number]);
  }
  return best / 1000;
}
