/**
 * Results of a forward pass that a method may read. All but `gates` and `futureAttention` are `[rows * width]`, entry t about token t, 0 where
 * not computed.
 */
export interface ForwardSignals {
  logProb: Float32Array;
  entropy: Float32Array;
  entropyTop20: Float32Array;
  /** Sum of the squared probabilities of the distribution that the token was drawn from. */
  concentration: Float32Array;
  promptAttention: Float32Array;
  /** `KL(reference ‖ model)` over the vocabulary where the token is predicted, nats. */
  forwardKl: Float32Array;
  /** A linear head's score of the state that has read the token. */
  score: Float32Array;
  /**
   * Of each layer the probability that a token's key and value are kept, `[rows * width * keyValueHeads]`; where gates
   * foresee attention, scores, of which the largest are kept.
   */
  gates: readonly Float32Array[];
  /** Of each layer what a token's entries are worth to later queries, `[rows * width * keyValueHeads]`. */
  futureAttention: readonly Float32Array[];
}

/** The gradient of a loss on what a pass gave, each shaped like the signal of its name. Absent = 0. */
export type SignalGradient = Partial<Pick<ForwardSignals, "logProb" | "forwardKl" | "score" | "gates">>;

/**
 * The two phases of a step, and the only place where a method meets the engine:
 * read per-token numbers, decide on the host, then hand back the gradient on those numbers.
 */
export interface Forward {
  /** The one await of a step. Asking twice gives the same arrays. */
  read<K extends keyof ForwardSignals>(names: readonly K[]): Promise<Pick<ForwardSignals, K>>;
  /**
   * Adds the parameter gradients of `sum(gradient.logProb * logProb)`, and of the same for every other signal given, to
   * the model's gradient store. Rows of the output projection whose gradient is 0 cost nothing. May be called once.
   */
  backward(gradient: SignalGradient): void;
  [Symbol.dispose](): void;
}
