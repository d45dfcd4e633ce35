import { parseExactJson } from "../system/exact-json.ts";

/** A row as its table gives it. */
export type Raw = Readonly<Record<string, unknown>>;

/** Thrown for a field of a wrong type; the caller adds file and row. */
export class WrongField extends Error {}

/** Thrown for a row that is in order, but holds what cannot be read; the row is left out for this reason. */
export class UnreadRow extends Error {}

/** What a row has in a column; undefined for null, and without a column. */
export function valueIn(raw: Raw, column: string | undefined): unknown {
  return column === undefined ? undefined : (raw[column] ?? undefined);
}

/** A text field; null where it is missing. */
export function textOf(raw: Raw, column: string | undefined): string | null {
  const value = valueIn(raw, column);
  if (value === undefined) return null;
  if (typeof value === "string") return value;
  throw new WrongField(`"${column}" is ${kindOf(value)}, not text`);
}

/** The same where a number stands for its decimal text, as in `answer: 42`. */
export function textOrNumberOf(raw: Raw, column: string | undefined): string | null {
  const value = valueIn(raw, column);
  return isNumber(value) ? String(value) : textOf(raw, column);
}

export function isNumber(value: unknown): value is number | bigint {
  return typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value));
}

/** The value as numbers, or undefined when it is no list of numbers. */
export function numberList(value: unknown): number[] | undefined {
  if (value instanceof BigInt64Array || value instanceof BigUint64Array) return Array.from(value, Number);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return Array.from(value as unknown as ArrayLike<number>);
  if (Array.isArray(value) && value.every((entry) => typeof entry === "number" || typeof entry === "boolean")) {
    return value.map(Number);
  }
  return undefined;
}

export function integersOf(value: unknown, column: string): number[] | null {
  const numbers = numberList(value);
  if (value === null || value === undefined) return null;
  if (numbers && numbers.every((n) => Number.isInteger(n) && Math.abs(n) <= 0x7fffffff)) return numbers;
  throw new WrongField(`"${column}" is ${kindOf(value)}, not a list of 32-bit integers`);
}

/** A list; what is written as JSON text is read as such. Undefined where it is neither. */
export function listOf(value: unknown): unknown[] | undefined {
  const list = fromJsonText(value);
  return Array.isArray(list) ? (list as unknown[]) : undefined;
}

/** A value as it is, or the list or object that it holds as JSON text; undefined for any other text. */
export function fromJsonText(value: unknown): unknown {
  return typeof value === "string" ? parsed(value) : value;
}

function parsed(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return parseExactJson(text);
  } catch {
    return undefined;
  }
}

/**
 * The value in lists, objects, texts and numbers alone, as a template can read it.
 *
 * @throws UnreadRow for an integer that a number does not hold, and for values in more than `deepest` lists or objects
 */
export function plainValue(value: unknown, column: string, depth = 0): unknown {
  if (depth > deepest) throw new UnreadRow(`${column} nests lists or objects more than ${deepest} deep`);
  if (typeof value === "bigint")
    throw new UnreadRow("an integer beyond 2^53 in it, which a chat template cannot be given exactly");
  if (typeof value === "symbol" || typeof value === "function")
    throw new WrongField(`"${column}" is ${kindOf(value)}, not text`);
  if (typeof value !== "object" || value === null) return value;
  const numbers = ArrayBuffer.isView(value) ? numberList(value) : undefined;
  if (numbers !== undefined) return numbers;
  if (Array.isArray(value)) return value.map((entry: unknown) => plainValue(entry, column, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plainValue(entry, column, depth + 1)]));
}

/** More than any description of a tool nests, and less than the stack of a template's filter holds. */
const deepest = 200;

export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "missing";
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return "a list";
  if (typeof value === "symbol") return "of a type that is not read";
  if (typeof value === "string") return "text";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** Whether a value, or one that it holds at any depth, is wanted. No recursion: JSON may be nested deeper than the stack. */
export function holds(value: unknown, isWanted: (part: unknown) => boolean): boolean {
  const parts = [value];
  while (parts.length > 0) {
    const part = parts.pop();
    if (isWanted(part)) return true;
    if (typeof part === "object" && part !== null && !ArrayBuffer.isView(part))
      for (const inner of Object.values(part)) parts.push(inner);
  }
  return false;
}
