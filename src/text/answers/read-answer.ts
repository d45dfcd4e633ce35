import { formula } from "./formula.ts";
import { plainText, withoutUnits } from "./plain-text.ts";
import { readNumber, type Rational } from "./rational.ts";

/** The meaning of an answer, as far as it is understood; `text` is all that is not. */
export type Form = Rational | Formula | Infinite | List | Equation | Unread;

/** An expression for the maths library. */
export interface Formula {
  readonly kind: "formula";
  readonly text: string;
}
export interface Infinite {
  readonly kind: "infinity";
  readonly isNegative: boolean;
}
/** A tuple, an interval or a matrix where the order counts; else a set or a union. */
export interface List {
  readonly kind: "list";
  readonly ordered: boolean;
  /** Such as `(]`, or "" for unordered ones. */
  readonly brackets: string;
  readonly items: readonly Form[];
}
/** A relation of variables, for which the left side counts too. */
export interface Equation {
  readonly kind: "equation";
  /** Left side less right side. */
  readonly text: string;
}
export interface Unread {
  readonly kind: "text";
  readonly text: string;
}

/** Longer answers are compared as texts only. */
export const longestAnswer = 1000;
const mostItems = 50;
const deepest = 4;
const closing: Readonly<Record<string, string>> = { "(": ")", "[": "]", "«": "»" };

/** Whether an answer is understood as mathematics. */
export function isReadable(answer: string): boolean {
  return readAnswer(answer).kind !== "text";
}

export function readAnswer(answer: string): Form {
  const trimmed = answer.length > longestAnswer ? undefined : answer.trim();
  if (trimmed === undefined || trimmed === "") return { kind: "text", text: folded(answer) };
  const number = readNumber(trimmed);
  if (number) return number;
  const text = plainText(trimmed);
  return readForm(text, 0) ?? { kind: "text", text: folded(text) };
}

/** Texts that differ in case and spaces only become one. */
export function folded(text: string): string {
  return text.toLowerCase().replace(/\s+/g, "");
}

function readForm(text: string, depth: number): Form | undefined {
  text = withoutUnits(text);
  if (text === "" || depth > deepest || /^nan$/i.test(text)) return undefined;
  const number = readNumber(text);
  if (number) return number;
  const infinite = /^([-+]?) ?(?:\\infty|infinity|inf)$/i.exec(text);
  if (infinite) return { kind: "infinity", isNegative: infinite[1] === "-" };
  if (/^(?:\\emptyset|\\varnothing|« ?»)$/.test(text)) return { kind: "list", ordered: false, brackets: "", items: [] };
  return (
    readMatrix(text, depth) ??
    readRelation(text, depth) ??
    readAlternatives(text, depth) ??
    readBrackets(text, depth) ??
    readFormula(text)
  );
}

function readFormula(text: string): Form | undefined {
  const read = formula(text);
  return read === undefined ? undefined : (readNumber(read) ?? { kind: "formula", text: read });
}

/** Sets, unions, lists without brackets, and `a ± b`. */
function readAlternatives(text: string, depth: number): Form | undefined {
  const parts = split(text, /^(?: or | and |\\cup(?![A-Za-z])|;)/);
  if (parts.length > 1) {
    const alternatives = listOf(parts, "", false, depth);
    const isUnion = alternatives?.items.every((item) => item.kind === "list");
    return isUnion || !alternatives ? alternatives : { ...alternatives, items: alternatives.items.flatMap(members) };
  }
  const grouped = text.includes(", ") ? text.replace(/(?<![\d.,])\d{1,3}(?:,\d{3})+(?!,?\d)/g, ungroup) : text;
  const listed = split(grouped, /^,/);
  if (listed.length > 1) return listOf(listed, "", false, depth);
  const either = /^(.*?)\\pm(?![A-Za-z])(.+)$/s.exec(text);
  if (!either || either[2]!.includes("\\pm")) return undefined;
  return listOf([`${either[1]!}+${either[2]!}`, `${either[1]!}-${either[2]!}`], "", false, depth);
}

function ungroup(number: string): string {
  return number.replaceAll(",", "");
}

function members(item: Form): readonly Form[] {
  return item.kind === "list" && !item.ordered ? item.items : [item];
}

function readBrackets(text: string, depth: number): Form | undefined {
  text = text.replace(/^\\[lr]?angle|^\\langle/, "(").replace(/\\rangle$/, ")");
  const [first, last] = [text[0]!, text.at(-1)!];
  if (first === "{" && last === "}" && isOneGroup(text)) {
    const parts = split(text.slice(1, -1), /^,/);
    return parts.length > 1 ? listOf(parts, "", false, depth) : readForm(text.slice(1, -1), depth + 1);
  }
  if (!(first in closing) || !")]»".includes(last) || !isOneGroup(text)) return undefined;
  const parts = split(text.slice(1, -1), /^,/);
  if (first === "«") return last === "»" ? listOf(parts, "", false, depth) : undefined;
  if (parts.length > 1) return listOf(parts, first + last, true, depth);
  return closing[first] === last && first === "(" ? readForm(parts[0]!, depth + 1) : undefined;
}

function readMatrix(text: string, depth: number): Form | undefined {
  const match = /^\\begin ?\{[pbvBV]?matrix\}(.*)\\end ?\{[pbvBV]?matrix\}$/s.exec(text);
  if (!match || match[1]!.includes("\\begin")) return undefined;
  const rows = match[1]!.replace(/\\\\\s*$/, "").split("\\\\");
  const lists = rows.map((row) => listOf(row.split("&"), "()", true, depth + 1));
  if (!lists.every((row) => row !== undefined)) return undefined;
  const column = lists.map(({ items }) => (items.length === 1 ? items[0]! : undefined));
  const items = column.every((item) => item !== undefined) ? column : lists;
  return { kind: "list", ordered: true, brackets: "()", items };
}

/** `x = 5` is 5, `x < 5` and `x ∈ (0, 5)` are intervals, `2x + y = 3` is an equation. */
function readRelation(text: string, depth: number): Form | undefined {
  const member = /^[A-Za-z] ?\\in(?![A-Za-z])(.+)$/s.exec(text);
  if (member) return readForm(member[1]!, depth + 1);
  const sides = split(text, /^(?:<=|>=|[<>=]|\\(?:le|ge|leq|geq|lt|gt|approx)(?![A-Za-z]))/);
  if (sides.length < 2 || split(text, /^(?:,| or | and |;)/).length > 1) return undefined;
  const signs = text.match(/<=|>=|[<>=]|\\(?:leq?|geq?|lt|gt|approx)(?![A-Za-z])/g)!.map(relationOf);
  if (signs.every((sign) => sign === "=")) return readEquation(sides, depth);
  return readInequality(sides, signs, depth);
}

function relationOf(sign: string): string {
  if (/^(?:<=|\\leq?)$/.test(sign)) return "≤";
  if (/^(?:>=|\\geq?)$/.test(sign)) return "≥";
  return /^(?:<|\\lt)$/.test(sign) ? "<" : /^(?:>|\\gt)$/.test(sign) ? ">" : "=";
}

const named =
  /^(?:\\?[A-Za-z]+(?:_\{?\w+\}?)?|[A-Za-z] ?\([A-Za-z, ]+\)|[A-Za-z]['\w ]{2,60}|[A-Za-z]\^\{?-1\}? ?\([a-z]\))$/;

function readEquation(sides: readonly string[], depth: number): Form | undefined {
  const right = sides.at(-1)!;
  const left = sides.slice(0, -1);
  if (left.every((side) => named.test(side.trim()))) return readForm(right, depth + 1);
  const first = formula(left[0]!);
  if (first === undefined) return undefined;
  const hasVariables = first.includes("v_");
  if (!hasVariables || sides.length > 2) return readForm(right, depth + 1);
  const second = formula(right);
  return second === undefined ? undefined : { kind: "equation", text: `(${first})-(${second})` };
}

function readInequality(sides: readonly string[], signs: readonly string[], depth: number): Form | undefined {
  if (signs.includes("=") || sides.length > 3) return undefined;
  if (/^[≥>]/.test(signs[0]!)) return readInequality([...sides].reverse(), [...signs].reverse().map(turned), depth);
  if (!signs.every((sign) => sign === "<" || sign === "≤")) return undefined;
  const variable = /^ ?[A-Za-z] ?$/;
  const open = (sign: string): string => (sign === "≤" ? "[" : "(");
  const close = (sign: string): string => (sign === "≤" ? "]" : ")");
  const [a, b, c] = sides as [string, string, string?];
  if (c !== undefined)
    return variable.test(b) ? listOf([a, c], open(signs[0]!) + close(signs[1]!), true, depth) : undefined;
  if (variable.test(a)) return listOf(["-\\infty", b], `(${close(signs[0]!)}`, true, depth);
  return variable.test(b) ? listOf([a, "\\infty"], `${open(signs[0]!)})`, true, depth) : undefined;
}

function turned(sign: string): string {
  return { "<": ">", ">": "<", "≤": "≥", "≥": "≤" }[sign]!;
}

function listOf(parts: readonly string[], brackets: string, ordered: boolean, depth: number): List | undefined {
  if (parts.length > mostItems) return undefined;
  const items = parts.map((part) => readForm(part, depth + 1));
  return items.every((item) => item !== undefined) ? { kind: "list", ordered, brackets, items } : undefined;
}

/** Parts between separators that stand outside all brackets. */
function split(text: string, separator: RegExp): string[] {
  const parts: string[] = [];
  let [depth, start] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    if ("([{«".includes(text[i]!)) depth++;
    else if (")]}»".includes(text[i]!)) depth--;
    if (depth !== 0) continue;
    const found = separator.exec(text.slice(i, i + 10))?.[0];
    if (found === undefined) continue;
    parts.push(text.slice(start, i));
    start = i + found.length;
    i = start - 1;
  }
  return [...parts, text.slice(start)];
}

/** The first bracket closes at the end. */
function isOneGroup(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if ("([{«".includes(text[i]!)) depth++;
    else if (")]}»".includes(text[i]!) && --depth === 0) return i === text.length - 1;
  }
  return false;
}
