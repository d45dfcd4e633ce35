import { UserError } from "../system/errors.ts";

/** What token scores are read with; `Tokens` of the contract fits. Arrays are row-major `[rows * width]`. */
export interface ScoredTokens {
  readonly rows: number;
  readonly width: number;
  readonly rowIds: Float64Array;
  /** 1 = token of the response. */
  readonly response: Uint8Array;
  /** What the data let each token count; absent = 1. */
  readonly dataWeights?: Float32Array;
}

/**
 * Which state's score belongs to a token: that of the state after reading it (`token`), or of the state that predicts it
 * (`before`, the shift of log-probabilities).
 */
export type ScoreAt = "token" | "before";

/** Where the row's response tokens lie in `[rows * width]`, in order, without those to which the data give no weight. */
export function responsePlaces({ width, response, dataWeights }: ScoredTokens, row: number): number[] {
  const places: number[] = [];
  for (let i = row * width; i < (row + 1) * width; i++) if (response[i] && dataWeights?.[i] !== 0) places.push(i);
  return places;
}

/**
 * Where the scores of `places` are read.
 *
 * @throws UserError for a score that is not finite, or a response token that has no state before it
 */
export function scorePlaces(
  scores: Float32Array,
  tokens: ScoredTokens,
  row: number,
  places: readonly number[],
  at: ScoreAt,
): number[] {
  if (at !== "token" && at !== "before")
    throw new UserError("invalid-option", `scoreAt is ${JSON.stringify(at)}.`, { fix: "It must be token or before." });
  return places.map((place) => {
    const where = `row ${tokens.rowIds[row]}, token ${place - row * tokens.width}`;
    if (at === "before" && place === row * tokens.width)
      throw new UserError(
        "missing-prompt",
        "The response begins with the row's first token, before which there is no score.",
        {
          where,
          fix: "Give the row a prompt, or read scores at the token itself.",
        },
      );
    const source = at === "before" ? place - 1 : place;
    if (!Number.isFinite(scores[source])) {
      throw new UserError("not-finite", `The score of the token reward model is ${scores[source]}.`, {
        where,
        fix: "Lower the reward model's learning rate, or clip its gradient.",
      });
    }
    return source;
  });
}

/** Throws a UserError when an array does not have one entry per token. */
export function checkLength(name: string, array: ArrayLike<number>, expected: number): void {
  if (array.length !== expected)
    throw new UserError("wrong-shape", `${name} has ${array.length} entries instead of ${expected}.`, {
      fix: "Check its shape.",
    });
}

/** `1 / (1 + exp(-x))`, exact at both ends. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}
