import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { writeFully } from "../../../data/atomic.ts";
import { parseBoundedJson } from "../../../system/bounded-json.ts";
import { writing } from "../../../system/disk-error.ts";
import { UserError } from "../../../system/errors.ts";
import { isRecord } from "../../../system/is-record.ts";
import { makeFolder } from "../../../system/make-folder.ts";

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
  makeFolder(dirname(path));
  const header = `${JSON.stringify({ format: "tokensift answers", ...about })}\n`;
  const { answers, bytes } = existsSync(path) ? readAnswers(path, header) : { answers: new Map(), bytes: 0 };
  const file = writing(path, () => openSync(path, existsSync(path) ? "r+" : "w+"));
  const append = (line: string): void => writing(path, () => writeFully(end, Buffer.from(line)));
  let end = file;
  writing(path, () => {
    ftruncateSync(file, bytes);
    closeSync(file);
    end = openSync(path, "a");
  });
  if (bytes === 0) append(header);
  return {
    answers,
    add(answer) {
      append(`${JSON.stringify(answer)}\n`);
      answers.set(keyOf(answer), answer);
    },
    close: () =>
      writing(path, () => {
        fsyncSync(end);
        closeSync(end);
      }),
  };
}

/** The answers below a header, and how much of the file is whole: a killed process may have torn its last line. */
function readAnswers(path: string, header: string): { answers: Map<string, StoredAnswer>; bytes: number } {
  const answers = new Map<string, StoredAnswer>();
  const content = readFileSync(path, "utf8");
  if (!content.startsWith(header)) return { answers, bytes: 0 };
  const whole = content.slice(0, content.lastIndexOf("\n") + 1);
  for (const [index, line] of whole.split("\n").slice(1, -1).entries()) {
    const answer = answerIn(line);
    if (answer === undefined)
      throw new UserError("damaged-log", "is not an answer of a server", {
        where: `${path}:${index + 2}`,
        fix: "Delete the file: its answers are drawn again.",
      });
    answers.set(keyOf(answer), answer);
  }
  return { answers, bytes: Buffer.byteLength(whole) };
}

function answerIn(line: string): StoredAnswer | undefined {
  let value: unknown;
  try {
    value = parseBoundedJson(line, { deepest: 4, mostParts: 100 });
  } catch {
    return undefined;
  }
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
