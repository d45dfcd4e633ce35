import { bind, integerArgument, textArgument } from "./arguments.ts";
import { item } from "./attributes.ts";
import { operate } from "./operators.ts";
import { checkSize, countPass, countSize } from "./limits.ts";
import { text } from "./print.ts";
import { runTest } from "./tests.ts";
import { joined } from "./text-methods.ts";
import {
  compare,
  equal,
  generator,
  isDict,
  isList,
  isSequence,
  iterate,
  truth,
  tuple,
  type Arguments,
  type Value,
} from "./values.ts";

/** A filter of Jinja: `value | name(…)`. */
export type Filter = (value: Value, args: Arguments) => Value;

/** Filters that go through a list, but for `map`, which applies others. */
export const listFilters: readonly [string, Filter][] = [
  [
    "batch",
    (value, args) => {
      const [count, fill] = bind(args, "linecount", "fill_with");
      return generator(batches(iterate(value), integerArgument(count), fill));
    },
  ],
  ["dictsort", dictSort],
  ["first", (value) => takeFirst(value)],
  [
    "join",
    (value, args) => {
      const [separator = "", path] = bind(args, "d", "attribute");
      return joined(
        iterate(value).map((each) => text(itemAt(each, path))),
        text(separator),
      );
    },
  ],
  [
    "last",
    (value) => {
      if (isSequence(value) && value.kind === "generator") throw new Error("'generator' object is not reversible");
      return iterate(value).at(-1);
    },
  ],
  ["list", (value) => [...iterate(value)]],
  ["max", (value, args) => extreme(value, args, 1)],
  ["min", (value, args) => extreme(value, args, -1)],
  ["reject", (value, args) => generator(given(value).filter((each) => !passes(each, args.positional)))],
  ["rejectattr", (value, args) => generator(given(value).filter((each) => !attributePasses(each, args)))],
  [
    "reverse",
    (value) => {
      const items = iterate(value).toReversed();
      return typeof value === "string" ? items.join("") : generator(items);
    },
  ],
  ["select", (value, args) => generator(given(value).filter((each) => passes(each, args.positional)))],
  ["selectattr", (value, args) => generator(given(value).filter((each) => attributePasses(each, args)))],
  ["sort", sort],
  [
    "sum",
    (value, args) => {
      const [path, start = 0] = bind(args, "attribute", "start");
      let total: Value = start;
      for (const each of iterate(value)) {
        total = operate("+", total, itemAt(each, path));
        countSize(isList(total) ? total.length : isSequence(total) ? total.items.length : 1); // lists are made anew each time
      }
      return total;
    },
  ],
  ["unique", unique],
];

/** The item at a path such as "a.b" or "0.name"; without one the value itself. */
export function itemAt(value: Value, path: Value): Value {
  if (path === undefined || path === null) return value;
  if (typeof path === "number") return item(value, path);
  let found = value;
  for (const part of textArgument(path).split(".")) found = item(found, /^\d+$/.test(part) ? Number(part) : part);
  return found;
}

function passes(value: Value, [name, ...others]: readonly Value[]): boolean {
  return name === undefined ? truth(value) : runTest(textArgument(name), value, others);
}

function attributePasses(value: Value, { positional: [path, ...test] }: Arguments): boolean {
  if (path === undefined) throw new Error("Missing parameter for attribute name");
  return passes(itemAt(value, path), test);
}

/** What `map`, `select` and `reject` go through: nothing, for all that counts as false. */
export const given = (value: Value): readonly Value[] => (truth(value) ? iterate(value) : []);

function takeFirst(value: Value): Value {
  if (!isSequence(value) || value.kind !== "generator") return iterate(value)[0];
  const [first, ...others] = value.items;
  value.items = others;
  return first;
}

/** Texts in lower case, unless case counts. */
const folded = (value: Value, isCaseSensitive: Value): Value =>
  typeof value === "string" && !truth(isCaseSensitive) ? value.toLowerCase() : value;

function sortedBy<T>(items: readonly T[], keys: readonly Value[], isReversed: boolean): T[] {
  countPass(8 * items.length);
  const order = items
    .map((_, i) => i)
    .sort((a, b) => (isReversed ? compare(keys[b], keys[a]) : compare(keys[a], keys[b])));
  return order.map((i) => items[i]!);
}

function sort(value: Value, args: Arguments): Value {
  const [reverse, caseSensitive, path] = bind(args, "reverse", "case_sensitive", "attribute");
  const items = iterate(value);
  const paths = typeof path === "string" ? path.split(",") : [path];
  const keys = items.map((each) => {
    const parts = paths.map((one) => folded(itemAt(each, one), caseSensitive));
    return parts.length === 1 ? parts[0] : parts;
  });
  return sortedBy(items, keys, truth(reverse));
}

function dictSort(value: Value, args: Arguments): Value {
  const [caseSensitive, by = "key", reverse] = bind(args, "case_sensitive", "by", "reverse");
  if (!isDict(value)) throw new Error("dictsort needs a dict");
  if (by !== "key" && by !== "value") throw new Error("You can only sort by either 'key' or 'value'");
  const pairs = [...value].map(tuple);
  const keys = pairs.map(({ items }) => folded(items[by === "key" ? 0 : 1], caseSensitive));
  return sortedBy(pairs, keys, truth(reverse));
}

function extreme(value: Value, args: Arguments, sign: number): Value {
  const [caseSensitive, path] = bind(args, "case_sensitive", "attribute");
  const key = (each: Value): Value => folded(itemAt(each, path), caseSensitive);
  let best: Value;
  iterate(value).forEach((each, i) => {
    countPass(2);
    if (i === 0 || sign * compare(key(each), key(best)) > 0) best = each;
  });
  return best;
}

function unique(value: Value, args: Arguments): Value {
  const [caseSensitive, path] = bind(args, "case_sensitive", "attribute");
  const texts = new Set<Value>();
  const others: Value[] = [];
  return generator(
    iterate(value).filter((each) => {
      const key = folded(itemAt(each, path), caseSensitive);
      if (typeof key === "string") return texts.size < texts.add(key).size;
      if (isList(key) || isDict(key)) throw new Error("unhashable type");
      countPass(2 * others.length);
      if (others.length > 1_000) throw new Error("unique is for at most 1000 numbers");
      if (others.some((other) => equal(other, key))) return false;
      others.push(key);
      return true;
    }),
  );
}

function batches(items: readonly Value[], count: number, fill: Value): Value[] {
  if (count < 1) throw new Error("batch needs a positive number");
  const found: Value[] = [];
  let made = 0;
  for (let i = 0; i < items.length; i += count) {
    const batch = items.slice(i, i + count);
    const missing = fill === undefined || fill === null ? 0 : count - batch.length;
    checkSize((made += batch.length + missing));
    countPass(32 + 8 * (batch.length + missing));
    found.push([...batch, ...Array.from({ length: missing }, () => fill)]);
  }
  return found;
}
