import { checkSize, countSize } from "./limits.ts";
import { isDict, isFloat, isList, isSequence, kindOf, typeName, type Float, type Value } from "./values.ts";

/** What `str` gives in Python. */
export function text(value: Value): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : representation(value);
}

/** What `repr` gives in Python. */
export function representation(value: Value): string {
  if (value === undefined) return "Undefined";
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return quoted(value);
  if (isFloat(value)) return floatText(value);
  if (isList(value)) return `[${value.map(representation).join(", ")}]`;
  if (isDict(value)) {
    return `{${[...value].map(([key, item]) => `${representation(key)}: ${representation(item)}`).join(", ")}}`;
  }
  if (kindOf(value) === "namespace" || !isSequence(value) || value.kind === "generator") {
    throw new Error(`a ${typeName(value)} cannot be printed`);
  }
  if (value.kind === "range") {
    const [start, stop, step] = value.limits!;
    return step === 1 ? `range(${start}, ${stop})` : `range(${start}, ${stop}, ${step})`;
  }
  const items = value.items.map(representation).join(", ");
  if (value.kind === "tuple") return value.items.length === 1 ? `(${items},)` : `(${items})`;
  return `${value.kind}([${items}])`;
}

const escapes = new Map([
  ["\\", "\\\\"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escaped = value.replace(/[\\\p{C}\p{Z}'"]/gu, (character) => {
    if (character === " ") return " ";
    if (character === "'" || character === '"') return character === quote ? `\\${character}` : character;
    const known = escapes.get(character);
    if (known !== undefined) return known;
    const code = character.codePointAt(0)!;
    const hex = code.toString(16);
    if (code < 0x100) return `\\x${hex.padStart(2, "0")}`;
    return code < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
  });
  return quote + escaped + quote;
}

/** Exponents from 1e16 and below 1e-4, of at least two digits. */
export function floatText({ value }: Float): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits, power] = value.toExponential().split("e") as [string, string];
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 16) {
    const plain = exponent >= 0 ? String(value) : value.toFixed(digits.replace(/^-?\d\.?/, "").length - exponent);
    return plain.includes(".") ? plain : `${plain}.0`;
  }
  return `${digits}e${power[0]}${power.slice(1).padStart(2, "0")}`;
}

export interface JsonOptions {
  ensureAscii: boolean;
  /** What each level is indented by; none puts all on one line. */
  indent: string | undefined;
  separators: readonly [string, string];
  sortKeys: boolean;
}

/** What `json.dumps` writes. */
export function json(value: Value, options: JsonOptions, depth = 0): string {
  const { indent, separators, sortKeys } = options;
  if (value === null) return "null";
  if (typeof value === "boolean" || typeof value === "number") return String(value);
  if (typeof value === "string") return jsonText(value, options.ensureAscii);
  if (isFloat(value)) {
    return floatText(value).replace("nan", "NaN").replace("inf", "Infinity");
  }
  const written = (parts: readonly string[], [open, close]: readonly [string, string]): string => {
    if (parts.length === 0) return open + close;
    countSize(parts.reduce((size, part) => size + part.length + separators[0].length, 0));
    if (indent === undefined) return open + parts.join(separators[0]) + close;
    checkSize(parts.length * indent.length * (depth + 1));
    const line = `\n${indent.repeat(depth + 1)}`;
    return `${open}${line}${parts.join(separators[0] + line)}\n${indent.repeat(depth)}${close}`;
  };
  const items = isSequence(value) && value.kind === "tuple" ? value.items : value;
  if (isList(items))
    return written(
      items.map((item) => json(item, options, depth + 1)),
      ["[", "]"],
    );
  if (!isDict(value)) throw new Error(`Object of type ${typeName(value)} is not JSON serializable`);
  const keyed = [...value].map(
    ([key, item]) => [typeof key === "string" ? key : key === null ? "null" : text(key), item] as const,
  );
  if (sortKeys) keyed.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const parts = keyed.map(
    ([key, item]) => jsonText(key, options.ensureAscii) + separators[1] + json(item, options, depth + 1),
  );
  return written(parts, ["{", "}"]);
}

function jsonText(value: string, ensureAscii: boolean): string {
  const written = JSON.stringify(value);
  if (!ensureAscii) return written;
  return written.replace(/[\x7f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
