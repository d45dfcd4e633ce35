import { countPass, countSearch, TemplateTooCostly } from "./limits.ts";

/**
 * A value of a template as Python has it. Whole numbers are plain; `undefined` is Jinja's undefined, `null` is None.
 * A dict is a Map whose keys are texts, whole numbers or None.
 */
export type Value =
  | undefined
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | Dict
  | Float
  | Sequence
  | Callable
  | Attributes;

export type Dict = ReadonlyMap<Value, Value>;

export interface Float {
  readonly kind: "float";
  readonly value: number;
}

/** What can be gone through and is no list: a generator only once. */
export interface Sequence {
  readonly kind: "tuple" | "range" | "dict_keys" | "dict_values" | "dict_items" | "generator";
  items: readonly Value[];
  /** Arguments of a range. */
  readonly limits?: readonly number[];
}

export interface Callable {
  readonly kind: "function";
  readonly call: (args: Arguments) => Value;
}

export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** A namespace, or the `loop` of a loop. */
export interface Attributes {
  readonly kind: "namespace" | "loop";
  readonly entries: Map<string, Value>;
}

export const float = (value: number): Float => ({ kind: "float", value });
export const tuple = (items: readonly Value[]): Sequence => ({ kind: "tuple", items });
export const generator = (items: readonly Value[]): Sequence => ({ kind: "generator", items });
export const callable = (call: Callable["call"]): Callable => ({ kind: "function", call });

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);
export const isDict = (value: Value): value is Dict => value instanceof Map;
type Kind = Float["kind"] | Sequence["kind"] | Callable["kind"] | Attributes["kind"];
export const kindOf = (value: Value): Kind | undefined =>
  typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
export const isFloat = (value: Value): value is Float => kindOf(value) === "float";
export const isCallable = (value: Value): value is Callable => kindOf(value) === "function";
export const isAttributes = (value: Value): value is Attributes => {
  const kind = kindOf(value);
  return kind === "namespace" || kind === "loop";
};
export const isSequence = (value: Value): value is Sequence =>
  typeof value === "object" && value !== null && "items" in value;

/** The number that a value counts as, true as 1. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return Number(value);
  return isFloat(value) ? value.value : undefined;
}

/** A whole number that is exact. */
export function integer(value: number): number {
  if (Number.isSafeInteger(value)) return value + 0; // no -0
  throw new TemplateTooCostly("a number in it grows too large");
}

/** Name of the type in Python. */
export function typeName(value: Value): string {
  if (value === undefined) return "Undefined";
  if (value === null) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "int";
  if (typeof value === "string") return "str";
  if (isList(value)) return "list";
  return isDict(value) ? "dict" : kindOf(value)!;
}

export function truth(value: Value): boolean {
  if (isList(value)) return value.length > 0;
  if (isDict(value)) return value.size > 0;
  if (isFloat(value)) return value.value !== 0;
  if (isSequence(value)) return value.kind === "generator" || value.items.length > 0;
  return Boolean(value);
}

/** Characters as Python counts them: code points. */
export const characters = (text: string): string[] => Array.from(text);

/** What a loop goes through. A generator is empty afterwards. */
export function iterate(value: Value): readonly Value[] {
  if (value === undefined) return [];
  if (typeof value === "string") return characters(value);
  if (isList(value)) return value;
  if (isDict(value)) return [...value.keys()];
  if (!isSequence(value)) throw new Error(`'${typeName(value)}' object is not iterable`);
  const { items } = value;
  if (value.kind === "generator") value.items = [];
  return items;
}

const mostCompared = 10_000; // items of one comparison

/** What is compared is counted: items, and characters of texts that may be the same. */
export function equal(a: Value, b: Value, work = { items: 0 }): boolean {
  if (typeof a === "string" && typeof b === "string" && a.length === b.length) countPass(a.length / 16);
  if (a === b) return true;
  if (++work.items > mostCompared) throw new TemplateTooCostly("it compares values that are too large");
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x === y;
  if (isList(a) && isList(b)) {
    if (a.length !== b.length) return false;
    return a.every((item, i) => {
      countPass(2);
      return equal(item, b[i], work);
    });
  }
  if (isDict(a) && isDict(b)) {
    if (a.size !== b.size) return false;
    countPass(4 * a.size);
    return [...a].every(([key, item]) => b.has(key) && equal(item, b.get(key), work));
  }
  if (isSequence(a) && isSequence(b)) {
    return a.kind === b.kind && a.kind !== "generator" && equal(a.items, b.items, work);
  }
  return false;
}

/** Negative, 0 or positive as `a` comes before, with or after `b`. */
export function compare(a: Value, b: Value): number {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x - y;
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  const [left, right] = [isSequence(a) ? a.items : a, isSequence(b) ? b.items : b];
  if (isList(left) && isList(right) && typeName(a) === typeName(b)) {
    const differing = left.findIndex((item, i) => {
      countPass(2);
      return i >= right.length || !equal(item, right[i]);
    });
    if (differing < 0 || differing >= right.length) return left.length - right.length;
    return compare(left[differing], right[differing]);
  }
  throw new Error(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** By code points, which UTF-16 does not sort by. */
function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  countPass(i);
  const before = a.charCodeAt(i - 1);
  if (before >= 0xd800 && before < 0xdc00) i--;
  return (a.codePointAt(i) ?? -1) - (b.codePointAt(i) ?? -1);
}

export function contains(container: Value, item: Value): boolean {
  if (typeof container === "string") {
    if (typeof item === "string") {
      countSearch(container, item);
      return container.includes(item);
    }
    throw new Error(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (isDict(container)) {
    if (isList(item) || isDict(item)) throw new Error(`unhashable type: '${typeName(item)}'`);
    return container.has(item);
  }
  return iterate(container).some((other) => equal(other, item));
}

export function lengthOf(value: Value): number {
  if (value === undefined) return 0;
  if (typeof value === "string") return characters(value).length;
  if (isList(value)) return value.length;
  if (isDict(value)) return value.size;
  if (isSequence(value) && value.kind !== "generator") return value.items.length;
  throw new Error(`object of type '${typeName(value)}' has no len()`);
}
