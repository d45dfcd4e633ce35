import { bind, integerArgument, numberArgument, textArgument } from "./arguments.ts";
import { attribute, dictMethod } from "./attributes.ts";
import { checkSize, countPass } from "./limits.ts";
import { fixed, percentFormat } from "./format.ts";
import { json, text } from "./print.ts";
import { given, itemAt, listFilters, type Filter } from "./list-filters.ts";
import { capitalized, joined, lines, replaced, stripped, textMethods } from "./text-methods.ts";
import {
  characters,
  float,
  generator,
  integer,
  isDict,
  isFloat,
  iterate,
  lengthOf,
  numberOf,
  truth,
  tuple,
  type Arguments,
  type Value,
} from "./values.ts";

const textFilters: readonly [string, Filter][] = [
  ["capitalize", (value) => capitalized(text(value))],
  [
    "center",
    (value, args) =>
      textMethods.get("center")!(text(value), { positional: [bind(args, "width")[0] ?? 80], named: new Map() }),
  ],
  [
    "format",
    (value, args) =>
      percentFormat(text(value), args.positional.length > 0 ? tuple(args.positional) : new Map(args.named)),
  ],
  ["indent", indent],
  ["lower", (value) => text(value).toLowerCase()],
  [
    "replace",
    (value, args) => {
      const [old, by, count] = bind(args, "old", "new", "count");
      return replaced(text(value), [text(old), text(by), count]);
    },
  ],
  ["string", (value) => text(value)],
  // without Jinja's escaping of HTML, which chat templates do not use, it stays a text like others
  ["safe", (value) => text(value)],
  ["title", (value) => text(value).replace(/[^-\s({[<]+/g, capitalized)],
  ["tojson", toJson],
  ["trim", (value, args) => stripped(text(value), bind(args, "chars")[0], "both")],
  ["truncate", truncate],
  ["upper", (value) => text(value).toUpperCase()],
  ["wordcount", (value) => (text(value).match(/[\p{L}\p{N}_]+/gu) ?? []).length],
];

const otherFilters: readonly [string, Filter][] = [
  ["abs", (value) => (isFloat(value) ? float(Math.abs(value.value)) : Math.abs(numberArgument(value)))],
  [
    "attr",
    (value, args) => {
      const name = textArgument(args.positional[0]);
      return isDict(value) ? dictMethod(value, name) : attribute(value, name);
    },
  ],
  ["count", (value) => lengthOf(value)],
  ["d", otherwise],
  ["default", otherwise],
  ["float", (value, args) => toFloat(value) ?? bind(args, "default")[0] ?? float(0)],
  ["int", toInteger],
  [
    "items",
    (value) => {
      if (value === undefined) return generator([]);
      if (isDict(value)) return generator([...value].map(tuple));
      throw new Error("Can only get item pairs from a mapping.");
    },
  ],
  ["length", (value) => lengthOf(value)],
  ["map", map],
  ["round", round],
];

const filters: ReadonlyMap<string, Filter> = new Map([...textFilters, ...listFilters, ...otherFilters]);

export function applyFilter(name: string, value: Value, args: Arguments): Value {
  const filter = filters.get(name);
  if (filter === undefined) throw new Error(`the filter '${name}' is not known`);
  if (typeof value === "string") countPass(value.length);
  return filter(value, args);
}

function map(value: Value, args: Arguments): Value {
  const [name, ...others] = args.positional;
  if (name !== undefined) {
    return generator(
      given(value).map((each) => applyFilter(textArgument(name), each, { positional: others, named: args.named })),
    );
  }
  const [path, otherwise] = bind(args, "attribute", "default");
  if (path === undefined) throw new Error("map requires a filter argument");
  return generator(given(value).map((each) => itemAt(each, path) ?? otherwise));
}

function otherwise(value: Value, args: Arguments): Value {
  const [replacement = "", boolean] = bind(args, "default_value", "boolean");
  return value === undefined || (truth(boolean) && !truth(value)) ? replacement : value;
}

function indent(value: Value, args: Arguments): Value {
  const [width = 4, first, blank] = bind(args, "width", "first", "blank");
  const space = typeof width === "string" ? width : " ".repeat(Math.max(0, checked(integerArgument(width))));
  const all = lines(`${textArgument(value)}\n`);
  checkSize(all.length * space.length);
  const indented = all.map((line, i) => (i > 0 && (truth(blank) || line !== "") ? space + line : line));
  return (truth(first) ? space : "") + joined(indented, "\n");
}

function checked(size: number): number {
  checkSize(size);
  return size;
}

function toJson(value: Value, args: Arguments): Value {
  const [ensureAscii, indentation = null, separators = null, sortKeys] = bind(
    args,
    "ensure_ascii",
    "indent",
    "separators",
    "sort_keys",
  );
  const isFlat = indentation === null;
  const pair = separators === null ? [isFlat ? ", " : ",", ": "] : iterate(separators).map(textArgument);
  if (pair.length !== 2) throw new Error("separators must be two texts");
  return json(value, {
    ensureAscii: truth(ensureAscii),
    indent: isFlat
      ? undefined
      : typeof indentation === "string"
        ? indentation
        : " ".repeat(Math.max(0, checked(integerArgument(indentation)))),
    separators: pair as [string, string],
    sortKeys: truth(sortKeys),
  });
}

function truncate(value: Value, args: Arguments): Value {
  const [length = 255, killWords, end = "...", leeway = 5] = bind(args, "length", "killwords", "end", "leeway");
  const [most, dots] = [integerArgument(length), textArgument(end)];
  if (lengthOf(value) <= most + integerArgument(leeway)) return value;
  const all = characters(textArgument(value));
  const kept = all.slice(0, most - characters(dots).length).join("");
  return (truth(killWords) ? kept : kept.includes(" ") ? kept.slice(0, kept.lastIndexOf(" ")) : kept) + dots;
}

function toFloat(value: Value): Value {
  if (value === undefined) throw new Error("a number is asked of something that is undefined");
  const number = numberOf(value);
  if (number !== undefined) return float(number);
  const written = typeof value === "string" ? value.trim() : "";
  if (/^[-+]?(?:inf|infinity|nan)$/i.test(written)) throw new Error("numbers that are not finite are not supported");
  return /^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(written) ? float(Number(written)) : undefined;
}

function toInteger(value: Value, args: Arguments): Value {
  const [fallback = 0, base = 10] = bind(args, "default", "base");
  if (typeof value === "string" && base !== 10) {
    const radix = integerArgument(base);
    const bare = value
      .trim()
      .toLowerCase()
      .replace(radix === 16 ? /^0x/ : radix === 8 ? /^0o/ : radix === 2 ? /^0b/ : /^(?!)/, "");
    const number = Number.parseInt(bare, radix);
    return number.toString(radix) === bare.replace(/^0+(?=.)/, "") ? integer(number) : fallback;
  }
  if (typeof value === "string" && /^\s*[-+]?\d+\s*$/.test(value)) return integer(Number(value));
  const number = toFloat(value);
  return isFloat(number) && Number.isFinite(number.value) ? integer(Math.trunc(number.value)) : fallback;
}

function round(value: Value, args: Arguments): Value {
  const [precision = 0, method = "common"] = bind(args, "precision", "method");
  const [number, digits] = [numberArgument(value), integerArgument(precision)];
  if (number === 0) return isFloat(value) ? value : 0;
  if (!["common", "ceil", "floor"].includes(textArgument(method)))
    throw new Error("method must be common, ceil or floor");
  const scale = 10 ** digits;
  if (method === "common") {
    if (!isFloat(value)) return digits >= 0 ? number : integer(Number(fixed(number * scale, 0)) / scale);
    return float(digits >= 0 ? Number(fixed(number, digits)) : Number(fixed(number * scale, 0)) / scale);
  }
  return float((method === "ceil" ? Math.ceil : Math.floor)(number * scale) / scale);
}
