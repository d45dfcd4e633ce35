import { nearest } from "../config/nearest.ts";
import { UserError } from "../system/errors.ts";

const largest = 2 ** 31 - 1;

/** The value of a flag that must be given. */
export function requiredValue(flag: string, text: string | undefined, meaning: string): string {
  if (text !== undefined && text !== "") return text;
  throw new UserError("missing-option", `--${flag} is missing`, { fix: `Give it ${meaning}.` });
}

/** A whole number; undefined if the flag was not given. */
export function wholeNumber(
  flag: string,
  text: string | undefined,
  { minimum = 1, maximum = largest } = {},
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= minimum && value <= maximum) return value;
  const range = maximum === largest ? `of at least ${minimum}` : `from ${minimum} to ${maximum}`;
  throw new UserError("invalid-option", `--${flag} is ${JSON.stringify(text)}, but must be a whole number ${range}`);
}

/** A number of 0 or more; undefined if the flag was not given. */
export function amount(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= 0 && value < Infinity) return value;
  throw new UserError("invalid-option", `--${flag} is ${JSON.stringify(text)}, but must be a number of at least 0`);
}

/** One of a few words. */
export function oneOf<T extends string>(flag: string, text: string, words: readonly T[]): T {
  const word = words.find((candidate) => candidate === text);
  if (word !== undefined) return word;
  const near = nearest(text, words);
  throw new UserError(
    "invalid-option",
    `--${flag} is ${JSON.stringify(text)}, but must be one of ${words.join(", ")}`,
    {
      ...(near === undefined ? {} : { fix: `Did you mean ${near}?` }),
    },
  );
}
