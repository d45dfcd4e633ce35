import { openKeptLines } from "../../../data/kept-lines.ts";
import { isRecord } from "../../../system/is-record.ts";

/** Which of the wanted answers it is. */
export interface AnswerPlace {
  readonly question: number;
  readonly sample: number;
}

/** What a server has answered. */
export interface GivenAnswer {
  /** At least one. */
  readonly ids: readonly number[];
  readonly finished: boolean;
  /** What the server says that has answered. */
  readonly model?: string | undefined;
  /** Of each id, by the server; null where it has not told. */
  readonly logProbs?: readonly (number | null)[] | undefined;
  /** The ids were made of the server's text: `same` where they spell it, `other` where they do not. */
  readonly fromText?: "same" | "other" | undefined;
}

/** An answer as it is kept, or why there is none after all tries. */
export type StoredAnswer = AnswerPlace & (GivenAnswer | { readonly lost: string });

/** What a server has answered in one round of drawing: a line of a file each, written before it is used. */
export interface AnswerStore {
  /** Those of this and of earlier processes, by `keyOf`. */
  readonly answers: ReadonlyMap<string, StoredAnswer>;
  /** Keeps an answer; a killed process loses none. */
  add(answer: StoredAnswer): void;
  /** Has them on the disk, and closes the file. */
  close(): void;
}

export function keyOf({ question, sample }: AnswerPlace): string {
  return `${question} ${sample}`;
}

/**
 * Opens the answers of one round.
 * @param about what decides them, such as the policy's weights; answers to something else are forgotten
 * @throws UserError for a file that is damaged before its last line
 */
export function openAnswerStore(path: string, about: Readonly<Record<string, unknown>>): AnswerStore {
  const { earlier, add, close } = openKeptLines<StoredAnswer>(
    path,
    { format: "tokensift answers", ...about },
    { of: answerOf, noun: "an answer of a server", fix: "Delete the file: its answers are drawn again." },
  );
  const answers = new Map(earlier.map((answer) => [keyOf(answer), answer]));
  return {
    answers,
    add(answer) {
      add(answer);
      answers.set(keyOf(answer), answer);
    },
    close,
  };
}

function answerOf(value: unknown): StoredAnswer | undefined {
  if (!isRecord(value)) return undefined;
  const { question, sample, ids, logProbs, finished, lost } = value;
  const numbers = (list: unknown, fits: (entry: unknown) => boolean): boolean =>
    Array.isArray(list) && list.every(fits);
  const isCount = (entry: unknown): boolean => Number.isSafeInteger(entry) && Number(entry) >= 0;
  const known = isCount(question) && isCount(sample);
  const answered = numbers(ids, isCount) && (ids as unknown[]).length > 0 && typeof finished === "boolean";
  const scored = logProbs === undefined || numbers(logProbs, (entry) => entry === null || typeof entry === "number");
  return known && (typeof lost === "string" || (answered && scored)) ? (value as unknown as StoredAnswer) : undefined;
}
