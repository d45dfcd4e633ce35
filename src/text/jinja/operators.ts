import { checkSize } from "./limits.ts";
import { percentFormat } from "./format.ts";
import {
  compare,
  contains,
  equal,
  float,
  integer,
  isDict,
  isFloat,
  isList,
  isSequence,
  lengthOf,
  numberOf,
  tuple,
  typeName,
  type Value,
} from "./values.ts";

const comparisons: ReadonlyMap<string, (a: Value, b: Value) => boolean> = new Map<
  string,
  (a: Value, b: Value) => boolean
>([
  ["==", equal],
  ["!=", (a, b) => !equal(a, b)],
  ["<", (a, b) => compare(a, b) < 0],
  ["<=", (a, b) => compare(a, b) <= 0],
  [">", (a, b) => compare(a, b) > 0],
  [">=", (a, b) => compare(a, b) >= 0],
  ["in", (a, b) => contains(b, a)],
  ["not in", (a, b) => !contains(b, a)],
]);

export const isComparison = (operator: string): boolean => comparisons.has(operator);

/** An operator with two operands that both have been evaluated, as Python computes it. */
export function operate(operator: string, a: Value, b: Value): Value {
  const comparison = comparisons.get(operator);
  if (comparison !== undefined) return comparison(a, b);
  if (operator === "%" && typeof a === "string") return percentFormat(a, b);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return calculate(operator, x, y, isFloat(a) || isFloat(b));
  if (operator === "+") {
    if (typeof a === "string" && typeof b === "string") return a + b;
    if (isList(a) && isList(b)) return joinLists(a, b);
    if (isSequence(a) && isSequence(b) && a.kind === "tuple" && b.kind === "tuple")
      return tuple(joinLists(a.items, b.items));
  }
  if (operator === "*" && Number.isInteger(x ?? y) && !isDict(a) && !isDict(b)) {
    const [repeated, count] = x === undefined ? [a, Math.max(0, y!)] : [b, Math.max(0, x)];
    if (typeof repeated === "string" || isList(repeated)) return repeat(repeated, count);
    if (isSequence(repeated) && repeated.kind === "tuple")
      return tuple(repeat(repeated.items, count) as readonly Value[]);
  }
  throw new Error(`unsupported operand types for ${operator}: '${typeName(a)}' and '${typeName(b)}'`);
}

function repeat(value: string | readonly Value[], count: number): Value {
  checkSize(lengthOf(value) * count);
  return typeof value === "string" ? value.repeat(count) : Array.from({ length: count }, () => value).flat();
}

function joinLists(a: readonly Value[], b: readonly Value[]): readonly Value[] {
  checkSize(a.length + b.length);
  return [...a, ...b];
}

function calculate(operator: string, x: number, y: number, isFloating: boolean): Value {
  const result = (value: number): Value => (isFloating ? float(value) : integer(value));
  if (["/", "//", "%"].includes(operator) && y === 0) throw new Error("division by zero");
  if (operator === "+") return result(x + y);
  if (operator === "-") return result(x - y);
  if (operator === "*") return result(x * y);
  if (operator === "/") return float(x / y);
  if (operator === "//") return result(Math.floor(x / y));
  if (operator === "%") {
    const rest = x % y;
    return result(rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest);
  }
  if (operator === "**") return power(x, y, isFloating);
  throw new Error(`the operator ${operator} is not known`);
}

function power(x: number, y: number, isFloating: boolean): Value {
  if (x === 0 && y < 0) throw new Error("0.0 cannot be raised to a negative power");
  const value = x ** y;
  if (!Number.isFinite(value)) throw new Error("a power in it is no finite real number");
  return isFloating || y < 0 ? float(value) : integer(value);
}
