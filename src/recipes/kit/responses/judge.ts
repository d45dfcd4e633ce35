import type { Verdict } from "../../../reward/outcomes.ts";
import type { Tokenizer } from "../../../text/index.ts";
import type { Drawn } from "./draw.ts";
import type { Question } from "./questions.ts";

/** A response and what it is worth. */
export interface Judged extends Drawn {
  readonly text: string;
  /** The final answer as written; null if none was found. */
  readonly answer: string | null;
  readonly verdict: Verdict;
}

/** Tells whether a response answers its question: a `Verifier`, or any function of this form. */
export type Verify = (input: {
  response: string;
  reference: string;
  finished: boolean;
}) => Promise<{ verdict: Verdict; extracted?: string }>;

/**
 * Judges responses. An unfinished response is wrong, by our verifier at least.
 * @param options.verify such as `verifier().verify`; close that after use
 */
export async function judgeResponses(
  drawn: readonly Drawn[],
  questions: readonly Question[],
  { tokenizer, verify, onProgress }: { tokenizer: Tokenizer; verify: Verify; onProgress?: (done: number) => void },
): Promise<Judged[]> {
  const references = new Map(questions.map(({ rowId, reference }) => [rowId, reference]));
  const judged: Judged[] = [];
  for (const response of drawn) {
    const reference = references.get(response.rowId);
    if (reference === undefined) throw new RangeError(`no question has the row ${response.rowId}`);
    const text = tokenizer.decode(response.ids, { skipSpecialTokens: true });
    const { verdict, extracted } = await verify({ response: text, reference, finished: response.finished });
    judged.push({ ...response, text, answer: extracted ?? null, verdict });
    onProgress?.(judged.length);
  }
  return judged;
}

/** Share of responses that are right: sampled pass@1. NaN without any. */
export function sampledAccuracy(judged: readonly Judged[]): number {
  return judged.filter(({ verdict }) => verdict === "correct").length / judged.length;
}
