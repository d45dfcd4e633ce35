import {
  callable,
  equal,
  float,
  integer,
  isDict,
  iterate,
  typeName,
  type Attributes,
  type Dict,
  type Value,
} from "./values.ts";
import { TemplateTooCostly } from "./limits.ts";
import { text } from "./print.ts";

/** What every template can name. */
export const globals: readonly [string, Value][] = [
  ...[true, false].flatMap((value): [string, Value][] => [
    [String(value), value],
    [value ? "True" : "False", value],
  ]),
  ["none", null],
  ["None", null],
  ["range", callable(({ positional }) => range(positional))],
  ["dict", callable(({ positional, named }) => dict(positional, named))],
  [
    "namespace",
    callable(({ positional, named }) => ({
      kind: "namespace",
      entries: new Map([...dict(positional, named)].map(([key, value]) => [attributeName(text(key)), value])),
    })),
  ],
];

const largestRange = 100_000;

function range(args: readonly Value[]): Value {
  const limits = args.map((value) => (typeof value === "number" || typeof value === "boolean" ? Number(value) : NaN));
  const [start, stop, step] = limits.length === 1 ? [0, limits[0]!, 1] : [limits[0]!, limits[1]!, limits[2] ?? 1];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!Number.isFinite(length)) throw new Error("range() needs whole numbers and a step that is not 0");
  if (length > largestRange) throw new TemplateTooCostly(`it asks for a range of ${length} numbers`);
  return { kind: "range", items: Array.from({ length }, (_, i) => start + i * step), limits: [start, stop, step] };
}

function dict(positional: readonly Value[], named: ReadonlyMap<string, Value>): Dict {
  const [source] = positional;
  const pairs =
    source === undefined
      ? []
      : isDict(source)
        ? [...source]
        : iterate(source).map((pair) => {
            const [key, value, ...others] = iterate(pair);
            if (others.length > 0) throw new Error("a dict is made of pairs");
            return [keyOf(key), value] as const;
          });
  return new Map<Value, Value>([...pairs, ...named]);
}

/** A key that is the same in a Map as in Python. */
export function keyOf(key: Value): Value {
  if (typeof key === "string" || typeof key === "number" || key === null) return key;
  throw new Error(`a key of a dict that is a ${typeName(key)} is not supported`);
}

export function attributeName(name: string): string {
  if (name.startsWith("_"))
    throw new Error(`templates cannot store the attribute '${name}', which begins with an underscore`);
  return name;
}

export function loopAttributes(
  items: readonly Value[],
  i: number,
  remembered: { last?: readonly Value[] },
): Attributes {
  const changed = callable(({ positional }) => {
    const isSame = remembered.last !== undefined && equal(remembered.last, positional);
    remembered.last = positional;
    return !isSame;
  });
  return {
    kind: "loop",
    entries: new Map<string, Value>([
      ["index", i + 1],
      ["index0", i],
      ["revindex", items.length - i],
      ["revindex0", items.length - i - 1],
      ["first", i === 0],
      ["last", i === items.length - 1],
      ["length", items.length],
      ["depth", 1],
      ["depth0", 0],
      ["previtem", items[i - 1]],
      ["nextitem", items[i + 1]],
      ["cycle", callable(({ positional }) => positional[i % positional.length])],
      ["changed", changed],
    ]),
  };
}

/** A value of JavaScript as a template sees it: whole numbers are ints, others floats. */
export function toValue(value: unknown): Value {
  if (value === undefined || value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : float(value);
  if (typeof value === "bigint") return integer(Number(value));
  if (Array.isArray(value)) return value.map(toValue);
  if (typeof value === "object") return new Map(Object.entries(value).map(([key, each]) => [key, toValue(each)]));
  throw new Error(`a template cannot be given a ${typeof value}`);
}
