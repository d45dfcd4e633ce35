/** Per-token results of a forward pass that a method may read, each `[rows * width]`, 0 where not computed. */
export interface ForwardSignals {
  logProb: Float32Array;
  entropy: Float32Array;
  entropyTop20: Float32Array;
  promptAttention: Float32Array;
}

/**
 * The two phases of a step, and the only place where a method meets the engine:
 * read per-token numbers, decide on the host, then hand back the gradient on those numbers.
 */
export interface Forward {
  /** The one await of a step. Asking twice gives the same arrays. */
  read<K extends keyof ForwardSignals>(names: readonly K[]): Promise<Pick<ForwardSignals, K>>;
  /**
   * Adds the parameter gradients of `sum(gradient.logProb * logProb)` to the model's gradient store.
   * Rows of the output projection whose gradient is 0 cost nothing. May be called once.
   */
  backward(gradient: { logProb: Float32Array }): void;
  [Symbol.dispose](): void;
}
