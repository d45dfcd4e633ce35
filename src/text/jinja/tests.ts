import { isLower, isUpper } from "./text-methods.ts";
import { text } from "./print.ts";
import {
  compare,
  contains,
  equal,
  isCallable,
  isDict,
  isFloat,
  isList,
  isSequence,
  numberOf,
  type Value,
} from "./values.ts";

type Test = (value: Value, ...args: Value[]) => boolean;

const equals: Test = (value, other) => equal(value, other);
const remainder = (value: Value, divisor: number): number => {
  const number = numberOf(value);
  if (number === undefined) throw new Error("a number was expected");
  return number % divisor;
};
const isSame: Test = (value, other) => value === other;
const before: Test = (value, other) => compare(value, other) < 0;
const after: Test = (value, other) => compare(value, other) > 0;
const notAfter: Test = (value, other) => compare(value, other) <= 0;
const notBefore: Test = (value, other) => compare(value, other) >= 0;
const differs: Test = (value, other) => !equal(value, other);

/** Jinja's tests (`value is name(…)`). */
const tests: ReadonlyMap<string, Test> = new Map<string, Test>([
  ["boolean", (value) => typeof value === "boolean"],
  ["callable", (value) => value === undefined || isCallable(value)],
  ["defined", (value) => value !== undefined],
  ["divisibleby", (value, by) => remainder(value, numberOf(by) ?? NaN) === 0],
  ["eq", equals],
  ["equalto", equals],
  ["==", equals],
  ["even", (value) => remainder(value, 2) === 0],
  ["false", (value) => value === false],
  ["float", (value) => isFloat(value)],
  ["ge", notBefore],
  [">=", notBefore],
  ["gt", after],
  ["greaterthan", after],
  [">", after],
  ["in", (value, container) => contains(container, value)],
  ["integer", (value) => typeof value === "number"],
  [
    "iterable",
    (value) => value === undefined || typeof value === "string" || isList(value) || isDict(value) || isSequence(value),
  ],
  ["le", notAfter],
  ["<=", notAfter],
  ["lower", (value) => isLower(text(value))],
  ["lt", before],
  ["lessthan", before],
  ["<", before],
  ["mapping", (value) => isDict(value)],
  ["ne", differs],
  ["!=", differs],
  ["none", (value) => value === null],
  ["number", (value) => numberOf(value) !== undefined],
  ["odd", (value) => Math.abs(remainder(value, 2)) === 1],
  ["sameas", isSame],
  [
    "sequence",
    (value) =>
      value === undefined ||
      typeof value === "string" ||
      isList(value) ||
      isDict(value) ||
      (isSequence(value) && ["tuple", "range"].includes(value.kind)),
  ],
  ["string", (value) => typeof value === "string"],
  ["test", (value) => tests.has(text(value))],
  ["true", (value) => value === true],
  ["undefined", (value) => value === undefined],
  ["upper", (value) => isUpper(text(value))],
]);

export function runTest(name: string, value: Value, args: readonly Value[]): boolean {
  const test = tests.get(name);
  if (test === undefined) throw new Error(`no test named '${name}'`);
  return test(value, ...args);
}
