import { UserError } from "../../system/errors.ts";
import { mathsThread, ThreadNotStarted } from "./bounded-thread.ts";
import { compareForms } from "./compare-forms.ts";
import { extractAnswer, lastBoxed, referenceAnswer, type ExtractionRule } from "./extract.ts";
import { hendrycksForm } from "./hendrycks.ts";
import type { Comparison, Equality } from "./maths-thread.ts";
import { spelled } from "./plain-text.ts";
import { readAnswer } from "./read-answer.ts";

/** How strictly answers are compared, and within which limits. */
export interface VerifierOptions {
  /** `equivalent` (default): the same value; `hendrycks`: the boxed answers' spellings, as the MATH benchmark compares. */
  mode?: "equivalent" | "hendrycks";
  /** Largest relative difference to a decimal that counts as equal, below 1; default 0. */
  tolerance?: number;
  /** Accept a number for a hundred times it, as 50 % for 0.5; default false. */
  percent?: boolean;
  /** Longest time to compare two expressions, in milliseconds; default 1000. The start of the thread does not count. */
  timeLimit?: number;
  /** Largest heap of the thread that compares expressions, in MiB; default 128. */
  memoryLimit?: number;
  /**
   * Told of an answer on which the verifier itself failed, a bug: such an answer is `unparsable`. Default: a warning of
   * the process, with the texts.
   */
  onFailure?: (input: VerifyInput, error: unknown) => void;
}

/** A response and what it is compared with. */
export interface VerifyInput {
  /** What the model wrote, without the question. */
  response: string;
  /** The right answer, or a solution that marks it with a box, `####` or an answer sentence. */
  reference: string;
  /** false = the response was cut off before its end, and is wrong. Default true. */
  finished?: boolean;
}

/** What became of one response. */
export interface Verification {
  /**
   * `wrong`: another answer than the reference's, or not finished. `unparsable`: there is no answer, or it cannot be
   * compared with the reference. `timeout`: the comparison took more time or memory than allowed.
   */
  readonly verdict: "correct" | "wrong" | "unparsable" | "timeout";
  /** The answer found in the response, as written. */
  readonly extracted?: string;
  /** How it was found. */
  readonly by?: ExtractionRule;
}

/** Judges responses; made by `verifier`. */
export interface Verifier {
  /**
   * A verdict for every text, whatever is in it.
   *
   * @throws UserError after `close`; Error when no thread can be started
   */
  verify(input: VerifyInput): Promise<Verification>;
  /** Ends the thread, if one was started. */
  close(): Promise<void>;
}

/**
 * Judges responses against references. Most answers are compared at once; a thread, started when it is first needed,
 * compares expressions: those with variables by their values at fixed points.
 *
 * @throws UserError for an option out of range
 * @example
 * import { verifier } from "tokensift";
 *
 * const { verify, close } = verifier();
 * const response = "So \\boxed{\\frac{1}{2}}.";
 * await verify({ response, reference: "0.5" }); //=> { verdict: "correct", extracted: "\\frac{1}{2}", by: "boxed" }
 * (await verify({ response: "It is 3.", reference: "#### 4" })).verdict; //=> "wrong"
 * await close();
 */
export function verifier(options: VerifierOptions = {}): Verifier {
  const { mode = "equivalent", tolerance = 0, percent = false, timeLimit = 1000, memoryLimit = 128 } = options;
  const { onFailure = warnOfFailure } = options;
  requireInRange("tolerance", tolerance, tolerance >= 0 && tolerance < 1, "It must be at least 0 and below 1.");
  requireInRange("timeLimit", timeLimit, timeLimit > 0 && timeLimit < 2 ** 31, "It is a time in milliseconds.");
  requireInRange("memoryLimit", memoryLimit, memoryLimit >= 64 && memoryLimit <= 4096, "It must be 64 to 4096 MiB.");
  if (!["equivalent", "hendrycks"].includes(mode))
    throw new UserError("invalid-option", `The verifier's mode is "${mode}".`, {
      fix: "It must be equivalent or hendrycks.",
    });
  const thread = mathsThread({ timeLimit, memoryLimit });

  async function compare(answer: string, wanted: string): Promise<Verification["verdict"]> {
    if (spelled(answer) === spelled(wanted)) return "correct";
    const [said, right] = [readAnswer(answer), readAnswer(wanted)];
    const asked = new Map<string, Comparison>();
    const first = compareForms(said, right, { tolerance, percent }, (comparison) => {
      asked.set(keyOf(comparison), comparison);
      return undefined;
    });
    if (first !== "unknown" || asked.size === 0 || asked.size > mostComparisons) return verdictOf[first];
    const results = await thread.compare([...asked.values()]);
    if (results === "timeout") return "timeout";
    const known = new Map([...asked.keys()].map((key, i) => [key, results[i]!]));
    return verdictOf[compareForms(said, right, { tolerance, percent }, (pair) => known.get(keyOf(pair)))];
  }

  async function judge({ response, reference, finished = true }: VerifyInput): Promise<Verification> {
    if (!finished) return { verdict: "wrong" };
    if (mode === "hendrycks") return compareSpellings(response, reference);
    const found = extractAnswer(response);
    const wanted = referenceAnswer(reference);
    if (found === undefined || wanted === undefined) return { verdict: "unparsable" };
    return { verdict: await compare(found.text, wanted), extracted: found.text, by: found.by };
  }

  return {
    async verify(input) {
      try {
        return await judge(input);
      } catch (error) {
        if (error instanceof UserError || error instanceof ThreadNotStarted) throw error;
        onFailure(input, error);
        return { verdict: "unparsable" };
      }
    },
    close: () => thread.close(),
  };
}

function warnOfFailure({ response, reference }: VerifyInput, error: unknown): void {
  const quoted = (text: string): string => JSON.stringify(String(text).slice(0, 10_000));
  process.emitWarning(
    `The verifier failed on the response ${quoted(response)} with the reference ${quoted(reference)}, which counts as ` +
      `unparsable. This is an error of the program: please report it with this text. ${(error as Error)?.stack ?? error}`,
    "VerifierFailure",
  );
}

/** Of expressions, in one verification; two sets of 50 elements need no more. */
const mostComparisons = 2500;

const verdictOf: Record<Equality, Verification["verdict"]> = {
  equal: "correct",
  different: "wrong",
  unknown: "unparsable",
};

function keyOf({ left, right, tolerance, proportional }: Comparison): string {
  return `${left}\n${right}\n${tolerance}\n${proportional}`;
}

function compareSpellings(response: string, reference: string): Verification {
  const boxed = lastBoxed(response);
  if (boxed === undefined) return { verdict: "unparsable" };
  const wanted = lastBoxed(reference) ?? reference;
  const verdict = hendrycksForm(boxed) === hendrycksForm(wanted) ? "correct" : "wrong";
  return { verdict, extracted: boxed, by: "boxed" };
}

function requireInRange(name: string, value: number, isInRange: boolean, fix: string): void {
  if (!isInRange) throw new UserError("invalid-option", `The verifier's ${name} is ${value}.`, { fix });
}
