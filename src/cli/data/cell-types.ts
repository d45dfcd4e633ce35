import type { ColumnType } from "../../data/arrow/columns.ts";
import { exactInteger } from "../../data/cell-values.ts";
import { holds, numberList } from "../../data/fields.ts";
import { UserError } from "../../system/errors.ts";

/** What the cells of a column hold; null where all that were seen are empty. */
export type CellKind = "truth" | "integer" | "number" | "text" | "objects" | "mixed" | ListKind | "unread" | null;

type ListKind = "no entries" | "integers" | "floats" | "numbers" | "texts";

/** What a cell holds; null for an empty one. `unread` is one of a type that readers do not read, or with a part of such. */
export function kindOfCell(value: unknown): CellKind {
  if (value === null || value === undefined) return null;
  if (typeof value === "symbol") return "unread";
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "truth";
  if (typeof value === "bigint") return BigInt.asIntN(64, value) === value ? "integer" : "mixed";
  if (typeof value === "number") return Number.isSafeInteger(value) && !Object.is(value, -0) ? "integer" : "number";
  return listKind(value) ?? (holds(value, (part) => typeof part === "symbol") ? "unread" : "objects");
}

function listKind(value: unknown): ListKind | undefined {
  if (value instanceof Float32Array) return value.length === 0 ? "no entries" : "floats";
  const numbers = numberList(value);
  if (numbers?.length === 0) return "no entries";
  if (numbers !== undefined) return numbers.every(isInt32) ? "integers" : "numbers";
  return Array.isArray(value) && value.every((entry) => typeof entry === "string") ? "texts" : undefined;
}

function isInt32(value: number): boolean {
  return (value | 0) === value && !Object.is(value, -0);
}

const numeric = new Set<CellKind>(["integer", "number"]);
const numericLists = new Set<CellKind>(["integers", "floats", "numbers"]);
const lists = new Set<CellKind>([...numericLists, "texts", "no entries"]);
const written = new Set<CellKind>(["text", "integer", "number", "objects", "mixed"]);

/**
 * What a column holds that has cells of both kinds: text and numbers or objects become text. Undefined where no type
 * could say what both say.
 */
export function joinedKind(one: CellKind, two: CellKind): CellKind | undefined {
  if (one === two || two === null) return one;
  if (one === null) return two;
  if (numeric.has(one) && numeric.has(two)) return "number";
  if (numericLists.has(one) && numericLists.has(two)) return "numbers";
  if (one === "no entries" && lists.has(two)) return two;
  if (two === "no entries" && lists.has(one)) return one;
  const isObject = (kind: CellKind): boolean => kind === "objects" || lists.has(kind);
  if (isObject(one) && isObject(two)) return "objects";
  if (written.has(one) && written.has(two)) return "mixed";
  return undefined;
}

/** The type of Arrow that holds a column. */
export function typeOfKind(kind: CellKind): ColumnType {
  const types: Partial<Record<NonNullable<CellKind>, ColumnType>> = {
    ...{ truth: "bool", integer: "int64", number: "float64" },
    ...{ integers: "list<int32>", floats: "list<float32>", numbers: "list<float64>", "no entries": "list<int32>" },
    texts: "list<utf8>",
  };
  return (kind === null ? undefined : types[kind]) ?? "utf8";
}

/** A cell as its column holds it. */
export function cellOfKind(value: unknown, kind: CellKind, where: () => string): unknown {
  if (value === null || value === undefined) return null;
  if (kind === "objects" || kind === "mixed") return typeof value === "string" ? value : jsonText(value, where);
  return lists.has(kind) && kind !== "texts" && !ArrayBuffer.isView(value) ? numberList(value)! : value;
}

/**
 * A value as JSON.
 * @param where column, file and row
 * @throws UserError for what JSON cannot say
 */
export function jsonText(value: unknown, where: () => string): string {
  if (typeof value === "bigint") return String(value);
  return JSON.stringify(value, (_key, entry: unknown) => {
    if (typeof entry === "bigint") return jsonInteger(entry);
    if (typeof entry === "number" && !Number.isFinite(entry))
      throw new UserError("not-finite", `it holds ${entry}, which JSON cannot say`, {
        where: where(),
        fix: "Name an .arrow file with --out if it is a number or a list of numbers; else replace it.",
      });
    return ArrayBuffer.isView(entry) ? (numberList(entry) ?? entry) : entry;
  });
}

/** A whole number; as text where JSON's readers would round it. */
export function jsonInteger(value: bigint): number | string {
  const exact = exactInteger(value);
  return typeof exact === "bigint" ? String(exact) : exact;
}
