import { UserError, type ErrorCode } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";

/** Limits of a number read from a file. */
interface Limits {
  min?: number;
  max?: number;
}

/** Reads typed values out of an untrusted record; every method throws a UserError that names the key. */
export interface Fields {
  /** Whether the key is there, even if its value is null. */
  has(key: string): boolean;
  /** The raw value; null and absent keys both read as undefined. */
  raw(key: string): unknown;
  /** An integer within the limits (default 0 to 2^31 - 1). Throws if absent and without fallback. */
  integer(key: string, limits?: Limits & { fallback?: number }): number;
  /** A finite number within the limits. Throws if absent and without fallback. */
  number(key: string, limits?: Limits & { fallback?: number }): number;
  boolean(key: string, fallback: boolean): boolean;
  text(key: string, fallback: string): string;
  /** A nested record, undefined if absent. */
  record(key: string): Fields | undefined;
}

/**
 * Wraps a record for checked reading. Only own keys are seen, so a file cannot reach into prototypes.
 * @param where the file (and outer key) for messages
 * @param code what the errors are
 * @throws UserError if `value` is not a record
 */
export function readFields(value: unknown, where: string, code: ErrorCode = "invalid-model-config"): Fields {
  if (!isRecord(value)) throw new UserError(code, "expected an object of keys and values", { where });
  const raw = (key: string): unknown => (Object.hasOwn(value, key) ? (value[key] ?? undefined) : undefined);

  function numeric(key: string, kind: "an integer" | "a number", limits: Limits & { fallback?: number }): number {
    const { min = -Infinity, max = Infinity, fallback } = limits;
    const found = raw(key) ?? fallback;
    if (found === undefined) throw new UserError(code, `the key ${key} is missing`, { where });
    const fits =
      typeof found === "number" &&
      (kind === "a number" ? Number.isFinite(found) : Number.isSafeInteger(found)) &&
      found >= min &&
      found <= max;
    if (!fits) {
      const range = Number.isFinite(min) || Number.isFinite(max) ? ` from ${min} to ${max}` : "";
      throw new UserError(code, `${key} must be ${kind}${range}, not ${show(found)}`, { where });
    }
    return found;
  }

  function typed<T>(key: string, type: "boolean" | "string", fallback: T): T {
    const found = raw(key) ?? fallback;
    if (typeof found !== type) throw new UserError(code, `${key} must be a ${type}, not ${show(found)}`, { where });
    return found as T;
  }

  return {
    has: (key) => Object.hasOwn(value, key),
    raw,
    integer: (key, limits = {}) => numeric(key, "an integer", { min: 0, max: 2 ** 31 - 1, ...limits }),
    number: (key, limits = {}) => numeric(key, "a number", limits),
    boolean: (key, fallback) => typed(key, "boolean", fallback),
    text: (key, fallback) => typed(key, "string", fallback),
    record: (key) => (raw(key) === undefined ? undefined : readFields(raw(key), `${where}, ${key}`, code)),
  };
}

/** A value as a short text for a message; long, deep and unprintable values are cut or named by their type. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
