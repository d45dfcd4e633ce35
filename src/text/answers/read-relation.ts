import { hasVariables, infinite, membersOf, set, type Form, type List, type Name, type Read } from "./forms.ts";
import { formula } from "./formula.ts";
import { greekLetters } from "./greek.ts";
import { intervalOf } from "./real-sets.ts";
import { split, splitWith } from "./split.ts";

const relation = /<=|>=|!=|[<>=]|\\(?:le|ge|leq|geq|leqslant|geqslant|lt|gt|ne|neq|approx)(?![A-Za-z])/y;
const variable = String.raw`(?:[A-Za-z]|\\(?:${greekLetters.join("|")}))`;
const index = String.raw`(?: ?_ ?(?:\w|\{ ?\w+ ?\}))?`;
const names = {
  variable: new RegExp(String.raw`^${variable}${index}'{0,3}$`),
  call: new RegExp(String.raw`^([A-Za-z]${index}'{0,3}(?: ?\^ ?\{? ?-1 ?\}?)?) ?\( ?([\w, ]+) ?\)$`),
  points: /^[A-Z]{2,3}$/,
  geometry: /^m? ?\\(?:angle|overline|triangle|widehat|measuredangle|vec|mathbf)(?![A-Za-z])[ {]*[\w ]+\}?$/,
  words: /^"?[A-Za-z]['\w "]{1,60}$/,
};

/** `x = 5` is a named 5, `x < 5` and `x ∈ (0, 5)` are intervals, `2x + y = 3` is an equation. */
export function readRelation(text: string, read: Read): Form | undefined {
  if (split(text, /(?:,| or | and |;)/y).length > 1) return readSeveralNames(text, read);
  const member = /^([A-Za-z]) ?\\in(?![A-Za-z])(.+)$/s.exec(text);
  if (member) return named(nameOf(member[1]!), read(member[2]!));
  const { parts, separators } = splitWith(text, relation);
  if (parts.length < 2) return undefined;
  const sides = parts.map((side) => side.trim());
  const signs = separators.map(relationOf);
  if (signs.every((sign) => sign === "=" || sign === "≈")) return readEquation(sides, signs.includes("≈"), read);
  if (signs.length === 1 && signs[0] === "≠") return readExclusion(sides, read);
  return readInequality(sides, signs, read);
}

function relationOf(sign: string): string {
  if (/^(?:<=|\\leq?(?:slant)?)$/.test(sign)) return "≤";
  if (/^(?:>=|\\geq?(?:slant)?)$/.test(sign)) return "≥";
  if (/^(?:!=|\\neq?)$/.test(sign)) return "≠";
  if (sign === "\\approx") return "≈";
  return /^(?:<|\\lt)$/.test(sign) ? "<" : /^(?:>|\\gt)$/.test(sign) ? ">" : "=";
}

function variableOf(side: string): Name | undefined {
  return names.variable.test(side) ? { text: side.replace(/[ {}]/g, ""), isWord: false } : undefined;
}

function nameOf(side: string): Name | undefined {
  const letter = variableOf(side);
  if (letter) return letter;
  const [, called, argument = ""] = names.call.exec(side) ?? [];
  if (called !== undefined) {
    const name = called.replace(/[ {}]/g, "");
    return { text: /^[a-z]$/.test(argument.trim()) ? name : `${name}(${argument.replaceAll(" ", "")})`, isWord: false };
  }
  if (names.points.test(side)) return { text: side, isWord: false };
  if (!names.words.test(side) && !names.geometry.test(side)) return undefined;
  return { text: side.replace(/[" ]+/g, " ").trim().toLowerCase(), isWord: true };
}

function named(name: Name | undefined, value: Form | undefined): Form | undefined {
  return name && value ? { kind: "named", names: [name], value } : undefined;
}

function readEquation(sides: readonly string[], isRounded: boolean, read: Read): Form | undefined {
  const tuple = sides.length === 2 ? readTupleOfNames(sides, read) : undefined;
  if (tuple) return tuple;
  const isTurned = names.variable.test(sides.at(-1)!) && !nameOf(sides[0]!);
  const inOrder = isTurned ? sides.toReversed() : sides;
  const firstValue = inOrder.findIndex((side) => !nameOf(side));
  const start = firstValue < 0 ? inOrder.length - 1 : firstValue;
  const called = inOrder.slice(0, start).map((side) => nameOf(side)!);
  const rest = inOrder.slice(start);
  if (called.length === 0) {
    const [first, second] = [formula(rest[0]!), formula(rest[1]!)];
    if (rest.length === 2 && (first?.includes("v_") || second?.includes("v_")) && first !== undefined)
      return second === undefined ? undefined : { kind: "equation", text: `(${first})-(${second})` };
  }
  const value = chainOf(rest, isRounded, read);
  if (!value) return undefined;
  return called.length === 0 ? value : { kind: "named", names: called, value };
}

/** The last side; the ones before it without variables have to be equal to it. */
function chainOf(sides: readonly string[], isRounded: boolean, read: Read): Form | undefined {
  const forms = sides.map(read);
  const value = forms.at(-1);
  if (!value || !forms.every((form) => form !== undefined)) return undefined;
  const constant = forms.filter((form) => !hasVariables(form));
  return isRounded || constant.length < 2 ? value : { kind: "chain", sides: constant, value };
}

/** `(x, y) = (1, 2)`. */
function readTupleOfNames([left, right]: readonly string[], read: Read): Form | undefined {
  const inside = /^\((.+)\)$/.exec(left!)?.[1]?.split(",");
  const called = inside?.map((side) => nameOf(side.trim()));
  if (!called || called.length < 2 || !called.every((name) => name && !name.isWord)) return undefined;
  const values = read(right!);
  const tuples = (values ? membersOf(values) : []).map((form) => namedTuple(called as Name[], form));
  if (tuples.length === 0 || !tuples.every((tuple) => tuple !== undefined)) return undefined;
  return tuples.length === 1 ? tuples[0] : set(tuples);
}

function namedTuple(called: readonly Name[], form: Form): List | undefined {
  if (form.kind !== "list" || !form.ordered || form.items.length !== called.length) return undefined;
  return set(form.items.map((value, i): Form => ({ kind: "named", names: [called[i]!], value })));
}

/** `x, y = 1, 2`. */
function readSeveralNames(text: string, read: Read): Form | undefined {
  const [left, right, ...more] = split(text, /=/y);
  if (right === undefined || more.length > 0) return undefined;
  const called = left!.split(",").map((name) => nameOf(name.trim()));
  const values = split(right, /,/y);
  if (called.length < 2 || called.length !== values.length || !called.every((name) => name && !name.isWord))
    return undefined;
  const items = values.map((value, i) => named(called[i], read(value)));
  return items.every((item) => item !== undefined) ? set(items) : undefined;
}

function readExclusion([left, right]: readonly string[], read: Read): Form | undefined {
  const name = nameOf(left!);
  const point = read(right!);
  if (!name || name.isWord || !point) return undefined;
  return named(name, { kind: "reals", without: set([point]) });
}

function readInequality(given: readonly string[], written: readonly string[], read: Read): Form | undefined {
  const isFalling = written[0] === ">" || written[0] === "≥";
  const signs = isFalling ? written.toReversed().map((sign) => turned[sign] ?? sign) : written;
  const sides = isFalling ? given.toReversed() : given;
  if (sides.length > 3 || !signs.every((sign) => sign === "<" || sign === "≤")) return undefined;
  const open = signs[0] === "≤" ? "[" : "(";
  const close = signs.at(-1) === "≤" ? "]" : ")";
  const [a, b, c] = sides as [string, string, string?];
  if (c !== undefined) return named(variableOf(b), intervalOf(read(a), read(c), open + close));
  const first = variableOf(a);
  if (first) return named(first, intervalOf(infinite(true), read(b), `(${close}`));
  return named(variableOf(b), intervalOf(read(a), infinite(false), `${open})`));
}

const turned: Readonly<Record<string, string>> = { "<": ">", ">": "<", "≤": "≥", "≥": "≤" };
