import { UserError } from "../../src/system/errors.ts";
import { hashUniform, type RandomStream } from "../../src/system/random.ts";

/** What is fuzzed: reads one input, which a seed and a number give, and throws where it is read in a wrong way. */
export interface Target {
  run(seed: number, at: number): Promise<void> | void;
  close?(): Promise<void> | void;
  /** Inputs that are read side by side, as they wait for a thread; default 1. */
  readonly atOnce?: number;
  /** MB by which an input may let the process grow; default 200. */
  readonly mostGrowth?: number;
}

/** Draws one input and reads it. */
export type Fuzz = (draws: RandomStream) => Promise<void> | void;

/** A target whose inputs are drawn from streams of their own. */
export function target(fuzz: Fuzz, more: Omit<Target, "run"> = {}): Target {
  return { ...more, run: (seed, at) => fuzz(drawsOf(seed, at)) };
}

/** Millions of streams are begun, which `stream` takes long for. */
export function drawsOf(seed: number, at: number): RandomStream {
  let draw = 0;
  const next = (): number => hashUniform(seed, at, draw++);
  return { next, below: (n) => Math.floor(next() * n) };
}

export const oneOf = <T>({ below }: RandomStream, items: readonly T[]): T => items[below(items.length)]!;

type Refusal = new (message?: string) => Error;

/**
 * Whether an error is a right answer to a wrong input: a UserError that says where, or one of these kinds. None of them
 * may stand for memory that was asked for and not there.
 */
export function isRefusal(error: unknown, ...others: readonly Refusal[]): boolean {
  return !isShortOfMemory(error) && [UserError, ...others].some((kind) => error instanceof kind);
}

/** Errors of the engine itself need not be of the `Error` that a test knows. */
export function isShortOfMemory(error: unknown): boolean {
  for (let cause = error; typeof cause === "object" && cause !== null; cause = (cause as Error).cause)
    if (/allocation failed|invalid (array|string) length|out of memory/i.test((cause as Error).message)) return true;
  return false;
}

/** The value, or undefined where the input is refused; throws for every other failure. */
export function refusing<T>(run: () => T, ...others: readonly Refusal[]): T | undefined {
  try {
    return run();
  } catch (error) {
    if (isRefusal(error, ...others)) return undefined;
    throw error;
  }
}

/** The same for what answers later. */
export async function refusingLater<T>(run: () => Promise<T>, ...others: readonly Refusal[]): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (isRefusal(error, ...others)) return undefined;
    throw error;
  }
}
