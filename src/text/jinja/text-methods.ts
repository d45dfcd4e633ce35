import { bind, integerArgument, textArgument } from "./arguments.ts";
import { checkSize, countSize, countSearch } from "./limits.ts";
import { braceFormat, padded } from "./format.ts";
import { text } from "./print.ts";
import { characters, isSequence, iterate, tuple, type Arguments, type Value } from "./values.ts";

const space = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const isSpace = new RegExp(`^[${space}]+$`);
const words = new RegExp(`[^${space}]+`, "g");
const lineEnds = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/g;

/** The methods of `str` that Jinja's sandbox allows, by name. */
export const textMethods: ReadonlyMap<string, (self: string, args: Arguments) => Value> = new Map<
  string,
  (self: string, args: Arguments) => Value
>([
  ["capitalize", (self) => capitalized(self)],
  ["casefold", (self) => self.toLowerCase().replaceAll("ß", "ss")],
  ["center", (self, args) => centered(self, args)],
  [
    "count",
    (self, args) =>
      textArgument(args.positional[0]) === ""
        ? characters(self).length + 1
        : partsAt(self, textArgument(args.positional[0])).length - 1,
  ],
  ["endswith", (self, args) => alternatives(args).some((part) => self.endsWith(part))],
  ["find", (self, args) => position(self, indexIn(self, bind(args, "sub")[0]))],
  ["format", (self, args) => braceFormat(self, args)],
  ["index", (self, args) => found(position(self, indexIn(self, bind(args, "sub")[0])))],
  ["isalnum", (self) => /^[\p{L}\p{N}]+$/u.test(self)],
  ["isalpha", (self) => /^\p{L}+$/u.test(self)],
  ["isascii", (self) => /^[\0-\x7f]*$/.test(self)],
  ["isdecimal", (self) => /^\p{Nd}+$/u.test(self)],
  ["isdigit", (self) => /^[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]+$/u.test(self)],
  ["isidentifier", (self) => /^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(self)],
  ["islower", (self) => isLower(self)],
  ["isnumeric", (self) => /^\p{N}+$/u.test(self)],
  ["isspace", (self) => isSpace.test(self)],
  ["isupper", (self) => isUpper(self)],
  ["join", (self, args) => joined(iterate(bind(args, "iterable")[0]).map(textArgument), self)],
  ["ljust", (self, args) => padded(self, integerArgument(args.positional[0]), "<", text(args.positional[1] ?? " "))],
  ["lower", (self) => self.toLowerCase()],
  ["lstrip", (self, args) => stripped(self, args.positional[0], "start")],
  ["partition", (self, args) => partitioned(self, textArgument(args.positional[0]), indexIn(self, args.positional[0]))],
  [
    "removeprefix",
    (self, args) =>
      self.startsWith(textArgument(args.positional[0])) ? self.slice(text(args.positional[0]).length) : self,
  ],
  [
    "removesuffix",
    (self, args) =>
      self.endsWith(textArgument(args.positional[0]))
        ? self.slice(0, self.length - text(args.positional[0]).length)
        : self,
  ],
  ["replace", (self, args) => replaced(self, bind(args, "old", "new", "count"))],
  ["rfind", (self, args) => position(self, lastIndexIn(self, bind(args, "sub")[0]))],
  ["rindex", (self, args) => found(position(self, lastIndexIn(self, bind(args, "sub")[0])))],
  ["rjust", (self, args) => padded(self, integerArgument(args.positional[0]), ">", text(args.positional[1] ?? " "))],
  [
    "rpartition",
    (self, args) => {
      const at = lastIndexIn(self, args.positional[0]);
      return at < 0 ? tuple(["", "", self]) : partitioned(self, text(args.positional[0]), at);
    },
  ],
  ["rsplit", (self, args) => splitFromRight(self, bind(args, "sep", "maxsplit"))],
  ["rstrip", (self, args) => stripped(self, args.positional[0], "end")],
  ["split", (self, args) => split(self, bind(args, "sep", "maxsplit"))],
  ["splitlines", (self, args) => lines(self, bind(args, "keepends")[0] === true)],
  ["startswith", (self, args) => alternatives(args).some((part) => self.startsWith(part))],
  ["strip", (self, args) => stripped(self, args.positional[0], "both")],
  [
    "swapcase",
    (self) =>
      characters(self)
        .map((one) => (isUpper(one) ? one.toLowerCase() : one.toUpperCase()))
        .join(""),
  ],
  ["title", (self) => self.replace(/\p{L}+/gu, capitalized)],
  ["upper", (self) => self.toUpperCase()],
  ["zfill", (self, args) => padded(self, integerArgument(args.positional[0]), "=", "0")],
]);

function indexIn(self: string, wanted: Value): number {
  countSearch(self, textArgument(wanted));
  return self.indexOf(textArgument(wanted));
}

function lastIndexIn(self: string, wanted: Value): number {
  countSearch(self, textArgument(wanted));
  return self.lastIndexOf(textArgument(wanted));
}

function partsAt(self: string, separator: string): string[] {
  countSearch(self, separator);
  return self.split(separator);
}

export const isLower = (value: string): boolean => /\p{Ll}/u.test(value) && !/[\p{Lu}\p{Lt}]/u.test(value);
export const isUpper = (value: string): boolean => /\p{Lu}/u.test(value) && !/[\p{Ll}\p{Lt}]/u.test(value);

export function capitalized(value: string): string {
  const [first = "", ...rest] = characters(value);
  return first.toUpperCase() + rest.join("").toLowerCase();
}

/** @param characters to take away in place of white space */
export function stripped(value: string, set: Value, side: "start" | "end" | "both"): string {
  const list = characters(value);
  const isStripped =
    set === undefined || set === null
      ? (one: string) => isSpace.test(one)
      : (one: string) => {
          countSearch(textArgument(set), one);
          return textArgument(set).includes(one);
        };
  let [from, to] = [0, list.length];
  if (side !== "end") while (from < to && isStripped(list[from]!)) from++;
  if (side !== "start") while (to > from && isStripped(list[to - 1]!)) to--;
  return list.slice(from, to).join("");
}

export function lines(value: string, keepEnds = false): string[] {
  const found: string[] = [];
  let from = 0;
  for (const end of value.matchAll(lineEnds)) {
    found.push(value.slice(from, keepEnds ? end.index + end[0].length : end.index));
    from = end.index + end[0].length;
  }
  if (from < value.length) found.push(value.slice(from));
  return found;
}

export function joined(parts: readonly string[], separator: string): string {
  let size = separator.length * parts.length;
  for (const part of parts) size += part.length;
  countSize(size);
  return parts.join(separator);
}

/** @param values old text, new text, and at most how many are replaced */
export function replaced(self: string, [old, by, count]: readonly Value[]): string {
  const [from, to] = [textArgument(old), textArgument(by)];
  const most = count === undefined || count === null ? -1 : integerArgument(count);
  const parts = from === "" ? ["", ...characters(self), ""] : partsAt(self, from);
  const limit = most < 0 ? parts.length - 1 : Math.min(most, parts.length - 1);
  countSize(self.length + limit * to.length);
  return (
    parts.slice(0, limit + 1).join(to) +
    parts
      .slice(limit + 1)
      .map((part) => from + part)
      .join("")
  );
}

function split(self: string, [separator, count]: readonly Value[]): string[] {
  const most = count === undefined || count === null ? -1 : integerArgument(count);
  if (separator !== undefined && separator !== null) {
    const by = textArgument(separator);
    if (by === "") throw new Error("empty separator");
    const parts = partsAt(self, by);
    return most < 0 || parts.length <= most ? parts : [...parts.slice(0, most), parts.slice(most).join(by)];
  }
  const found: string[] = [];
  for (const { 0: word, index } of self.matchAll(words)) {
    if (most >= 0 && found.length >= most) return [...found, self.slice(index)];
    found.push(word);
  }
  return found;
}

function splitFromRight(self: string, values: readonly Value[]): string[] {
  const reverse = (value: string): string => characters(value).toReversed().join("");
  const separator = typeof values[0] === "string" ? reverse(values[0]) : values[0];
  return split(reverse(self), [separator, values[1]]).map(reverse).toReversed();
}

function centered(self: string, args: Arguments): string {
  const [width, fill] = bind(args, "width", "fillchar");
  const missing = integerArgument(width) - characters(self).length;
  if (missing <= 0) return self;
  const before = Math.floor(missing / 2) + (missing & integerArgument(width) & 1);
  checkSize(missing);
  return text(fill ?? " ").repeat(before) + self + text(fill ?? " ").repeat(missing - before);
}

function alternatives(args: Arguments): string[] {
  const [affix] = args.positional;
  if (args.positional.length !== 1) throw new Error("one text or tuple of texts was expected");
  return isSequence(affix) ? affix.items.map(textArgument) : [textArgument(affix)];
}

const partitioned = (self: string, separator: string, at: number): Value =>
  at < 0 ? tuple([self, "", ""]) : tuple([self.slice(0, at), separator, self.slice(at + separator.length)]);

/** In code points. */
const position = (self: string, units: number): number => (units < 0 ? -1 : characters(self.slice(0, units)).length);

function found(at: number): number {
  if (at < 0) throw new Error("substring not found");
  return at;
}
