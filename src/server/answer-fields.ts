import { isRecord } from "../system/is-record.ts";
import { RequestFailure } from "./failure.ts";

/** Reads a server's answer, which may be anything. */
export interface AnswerFields {
  /** Of an object; where the key is missing, an object without any. */
  at(key: string | number): AnswerFields;
  /** @throws RequestFailure where it is none */
  text(): string;
  textOr<T>(other: T): string | T;
  /** Undefined where it is not there. @throws RequestFailure where it is something else */
  ids(): number[] | undefined;
  /** Entries of a list; undefined where it is none. */
  list(): AnswerFields[] | undefined;
  /** Undefined where it is no finite number. */
  number(): number | undefined;
  /** Values of an object; undefined where it is none. */
  values(): Map<string, AnswerFields> | undefined;
}

const largestId = 2 ** 31 - 1;

/** @param path where the value stands in the answer */
export function answerFields(value: unknown, path = "its answer"): AnswerFields {
  const refuse = (what: string): never => {
    throw new RequestFailure(`${path} is not ${what}`);
  };
  return {
    at(key) {
      const inner = Array.isArray(value) ? value[Number(key)] : isRecord(value) ? value[key] : undefined;
      return answerFields(inner, `${path}.${key}`);
    },
    text: () => (typeof value === "string" ? value : refuse("a text")),
    textOr: (other) => (typeof value === "string" ? value : other),
    ids() {
      if (value === undefined || value === null) return undefined;
      const fits = (id: unknown): boolean => Number.isInteger(id) && Number(id) >= 0 && Number(id) <= largestId;
      return Array.isArray(value) && value.every(fits) ? (value as number[]) : refuse("a list of token ids");
    },
    list: () => (Array.isArray(value) ? value.map((entry, i) => answerFields(entry, `${path}.${i}`)) : undefined),
    number: () => (typeof value === "number" && Number.isFinite(value) ? value : undefined),
    values: () =>
      isRecord(value)
        ? new Map(Object.entries(value).map(([key, entry]) => [key, answerFields(entry, `${path}.${key}`)]))
        : undefined,
  };
}

/** One log-probability per token; undefined where one is missing. */
export function logProbsOf(entries: readonly (number | undefined)[], tokens: number): number[] | undefined {
  const whole = entries.length === tokens && entries.every((value) => value !== undefined && value <= 0);
  return whole ? (entries as number[]) : undefined;
}

/** The same of entries that name their tokens, in the order of `ids`; null where there is no entry of a token. */
export function namedLogProbs(
  entries: readonly { readonly id: number | undefined; readonly logProb: number | undefined }[],
  ids: readonly number[],
): (number | null)[] {
  let next = 0;
  return ids.map((id) => {
    const { id: named, logProb } = entries[next] ?? {};
    if (named !== id) return null;
    next++;
    return logProb === undefined || logProb > 0 ? null : logProb;
  });
}
