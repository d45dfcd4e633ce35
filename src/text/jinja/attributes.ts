import { bind, integerArgument } from "./arguments.ts";
import { countPass } from "./limits.ts";
import { textMethods } from "./text-methods.ts";
import {
  callable,
  characters,
  equal,
  isAttributes,
  isDict,
  isList,
  isSequence,
  tuple,
  typeName,
  type Callable,
  type Dict,
  type Value,
} from "./values.ts";

type Method<Self> = (self: Self, args: Parameters<Callable["call"]>[0]) => Value;

const dictMethods = new Map<string, Method<Dict>>([
  [
    "get",
    (self, args) => {
      const [key, otherwise = null] = bind(args, "key", "default");
      return self.has(key) ? self.get(key) : otherwise;
    },
  ],
  ["items", (self) => ({ kind: "dict_items", items: [...self].map(tuple) })],
  ["keys", (self) => ({ kind: "dict_keys", items: [...self.keys()] })],
  ["values", (self) => ({ kind: "dict_values", items: [...self.values()] })],
  ["copy", (self) => self],
]);

const listMethods = new Map<string, Method<readonly Value[]>>([
  ["count", (self, args) => self.filter((item) => equal(item, args.positional[0])).length],
  [
    "index",
    (self, args) => {
      const at = self.findIndex((item) => equal(item, args.positional[0]));
      if (at < 0) throw new Error("the item is not in the list");
      return at;
    },
  ],
  ["copy", (self) => self],
]);

/** What changes a value: Jinja's sandbox for chat templates forbids it. */
const changesList = new Set(["append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse"]);
const changesDict = new Set(["pop", "clear", "update", "setdefault", "popitem"]);

/** What `value.name` gives: a method first, then an item of that name. */
export function attribute(value: Value, name: string): Value {
  if (isAttributes(value)) return value.entries.get(name);
  if (value === undefined) throw new Error(`'${name}' is asked of something that is undefined`);
  if ((isDict(value) && changesDict.has(name)) || (isList(value) && changesList.has(name))) {
    return callable(() => {
      throw new Error(`.${name}() changes a ${typeName(value)}, which templates may not`);
    });
  }
  if (typeof value === "string") return textMethod(name, value);
  if (isDict(value)) return dictMethod(value, name) ?? value.get(name);
  if (isList(value)) return bound(listMethods, name, value);
  return isSequence(value) && value.kind === "tuple" ? bound(listMethods, name, value.items) : undefined;
}

function textMethod(name: string, self: string): Value {
  const method = textMethods.get(name);
  if (method === undefined) return undefined;
  return callable((args) => {
    countPass(self.length);
    return method(self, args);
  });
}

/** A method of a dict, but for those that change it. */
export function dictMethod(dict: Dict, name: string): Value {
  return bound(dictMethods, name, dict);
}

function bound<Self>(methods: ReadonlyMap<string, Method<Self>>, name: string, self: Self): Value {
  const known = methods.get(name);
  return known === undefined ? undefined : callable((args) => known(self, args));
}

/** What `value[key]` gives: an item first, then an attribute of that name. */
export function item(value: Value, key: Value): Value {
  if (value === undefined) throw new Error("an item is asked of something that is undefined");
  if (isDict(value) && value.has(key)) return value.get(key);
  if (typeof key === "string") return attribute(value, key);
  const items = indexable(value);
  if (items === undefined || (typeof key !== "number" && typeof key !== "boolean")) return undefined;
  return items.at(Number(key));
}

function indexable(value: Value): readonly Value[] | undefined {
  if (typeof value === "string") return characters(value);
  if (isList(value)) return value;
  return isSequence(value) && ["tuple", "range"].includes(value.kind) ? value.items : undefined;
}

/** Python's `value[start:stop:step]`. */
export function slice(value: Value, bounds: readonly Value[]): Value {
  const items = indexable(value);
  if (items === undefined) throw new Error(`'${typeName(value)}' object cannot be sliced`);
  const [start, stop, step = 1] = bounds.map((bound) =>
    bound === undefined || bound === null ? undefined : integerArgument(bound),
  );
  if (step === 0) throw new Error("slice step cannot be zero");
  const isForward = step > 0;
  const [lowest, highest] = isForward ? [0, items.length] : [-1, items.length - 1];
  const limited = (bound: number): number =>
    Math.max(lowest, Math.min(highest, bound < 0 ? bound + items.length : bound));
  const from = start === undefined ? (isForward ? lowest : highest) : limited(start);
  const to = stop === undefined ? (isForward ? highest : lowest) : limited(stop);
  const taken: Value[] = [];
  for (let i = from; isForward ? i < to : i > to; i += step) taken.push(items[i]);
  if (typeof value === "string") return taken.join("");
  return isSequence(value) ? tuple(taken) : taken;
}
