import { UserError } from "../../system/errors.ts";

/** Honest steps make up to eighteen characters of one (NFKC), and a few more around a text. */
const mostOfEach = 64;
const mostBeside = 10_000;

let most = Infinity;
let where = "";

/**
 * Runs steps of a tokenizer on a text, which they may make longer only in proportion: each that adds to it tells `growing`.
 *
 * @param length of the text
 * @param place of the tokenizer, for the message
 */
export function growingFrom<T>(length: number, place: string, run: () => T): T {
  const before = { most, where };
  [most, where] = [mostOfEach * length + mostBeside, place];
  try {
    return run();
  } finally {
    ({ most, where } = before);
  }
}

/**
 * @param length of what a step makes of a text
 * @throws UserError where that is longer than any tokenizer has reason to make it
 */
export function growing(length: number): void {
  if (length <= most) return;
  throw new UserError(
    "unsupported-tokenizer",
    `the steps of this tokenizer make more than ${mostOfEach} characters of each that they are given`,
    { where, fix: "Take the tokenizer.json that belongs to the model." },
  );
}

const mostSteps = 50_000_000;
const stepsOfEach = 64;

/**
 * Counts the steps of cutting one text into tokens.
 * @throws UserError beyond what an honest vocabulary takes
 */
export function stepsWithin(characters: number): (steps: number) => void {
  let left = mostSteps + stepsOfEach * characters;
  return (steps) => {
    left -= steps;
    if (left >= 0) return;
    throw new UserError(
      "unsupported-tokenizer",
      "the vocabulary of this tokenizer takes too many steps to cut a text",
      {
        where,
        fix: "Take the tokenizer.json that belongs to the model.",
      },
    );
  };
}
