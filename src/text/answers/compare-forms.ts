import { all, compareLists, type Compare } from "./compare-lists.ts";
import { formula } from "./formula.ts";
import { valueOf, type Form, type Formula, type Name, type Named, type Ratio } from "./forms.ts";
import type { Comparison, Equality } from "./maths-thread.ts";
import { product, quotient, rounding, sameNumber, type NumberComparison, type Rational } from "./rational.ts";
import type { Measure } from "./units.ts";

/** Answers a comparison that needs the maths library; undefined = not known yet. */
export type Oracle = (comparison: Comparison) => Equality | undefined;

const onlyWords = /^[\p{L}\p{M} ,'’.()-]+$/u;

/**
 * Whether answer `a` means what reference `b` means. Every comparison that the library has to make is put to the oracle.
 */
export function compareForms(a: Form, b: Form, options: NumberComparison, oracle: Oracle): Equality {
  const compare: Compare = (left, right, isStrict = false) => {
    if (left.kind === "text" || right.kind === "text") return compareTexts(left, right);
    if (left.kind === "choice" || right.kind === "choice") return compareChoices(left, right, compare);
    if (left.kind === "named" || right.kind === "named") return compareNamed(left, right, isStrict, compare, oracle);
    if (right.kind === "chain") return compare(left, right.value, isStrict);
    if (left.kind === "chain") return all([isTrue(left.sides, oracle), compare(left.value, right, isStrict)]);
    if (left.kind === "quantity" || right.kind === "quantity") return compareQuantities(left, right, compare);
    if (left.kind === "label" || right.kind === "label")
      return equality(left.kind === "label" && right.kind === "label" && left.text === right.text);
    if (left.kind === "ratio" || right.kind === "ratio") return compareRatios(left, right, compare);
    if (left.kind === "number" && right.kind === "number") return equality(sameNumber(left, right, options));
    if (left.kind === "reals" && right.kind === "reals") return compare(left.without, right.without);
    if (left.kind === "list" || right.kind === "list") return compareLists(left, right, compare);
    if (left.kind === "reals" || right.kind === "reals") return "different";
    if (left.kind === "infinity" || right.kind === "infinity")
      return equality(left.kind === "infinity" && right.kind === "infinity" && left.isNegative === right.isNegative);
    if (left.kind === "equation" || right.kind === "equation")
      return left.kind === right.kind ? compareEquations(textOf(left), textOf(right), oracle) : "different";
    return compareExpressions(left, right, options, oracle);
  };
  return compare(a, b);
}

/** The form inside one of this kind; any other as it is. */
function inside(form: Form, kind: "choice" | "named" | "quantity"): Form {
  return form.kind === kind ? form.value : form;
}

function equality(same: boolean): Equality {
  return same ? "equal" : "different";
}

/** Words also as lists, in any order. */
function compareTexts(a: Form, b: Form): Equality {
  if (b.kind !== "text") return "unknown";
  if (a.kind !== "text") return onlyWords.test(b.text) ? "different" : "unknown";
  if (a.text === b.text || wordsOf(a.text) === wordsOf(b.text)) return "equal";
  return onlyWords.test(b.text) ? "different" : "unknown";
}

function wordsOf(text: string): string {
  if (!onlyWords.test(text)) return text;
  return text
    .split(/ ?, ?(?:and |or )?| and | or /)
    .toSorted()
    .join(",");
}

function compareChoices(a: Form, b: Form, compare: Compare): Equality {
  const letters = [a, b].map((form) => (form.kind === "choice" ? form.letter : /^v_([A-J])$/.exec(textOf(form))?.[1]));
  if (letters.every((letter) => letter !== undefined)) return equality(letters[0] === letters[1]);
  return compare(inside(a, "choice"), inside(b, "choice"));
}

function compareNamed(a: Form, b: Form, isStrict: boolean, compare: Compare, oracle: Oracle): Equality {
  const [left, right] = [lineOf(a), lineOf(b)];
  if (left !== undefined && right !== undefined && (a.kind !== b.kind || !shareName(a, b)))
    return compareEquations(left, right, oracle);
  const isOther = a.kind === "named" && b.kind === "named" && !shareName(a, b);
  if (isOther && (isStrict || !(isWordy(a) || isWordy(b)))) return "different";
  return compare(inside(a, "named"), inside(b, "named"), isStrict);
}

function isWordy(form: Named): boolean {
  return form.names.every(({ isWord }) => isWord);
}

function shareName(a: Form, b: Form): boolean {
  const namesOf = (form: Form): readonly Name[] => (form.kind === "named" ? form.names : []);
  return namesOf(a).some(({ text }) => namesOf(b).some((other) => other.text === text));
}

/** `y = 3x + 1` and `3x - y + 1 = 0` as expressions that are zero; undefined for what is no relation of variables. */
function lineOf(form: Form): string | undefined {
  if (form.kind === "equation") return form.text;
  if (form.kind !== "named" || isWordy(form)) return undefined;
  const value = valueOf(form);
  const name = formula(form.names.find(({ isWord }) => !isWord)!.text);
  return value.kind === "formula" && value.text.includes("v_") && name !== undefined
    ? `(${name})-(${value.text})`
    : undefined;
}

function compareEquations(left: string, right: string, oracle: Oracle): Equality {
  return left === right ? "equal" : (oracle({ left, right, tolerance: 0, proportional: true }) ?? "unknown");
}

/** Whether all sides of a chain are equal; a decimal may be rounded to the digits that it has. */
function isTrue(sides: readonly Form[], oracle: Oracle): Equality {
  const values = sides.map(valueOf);
  return all(
    values.slice(1).map((right, i) => {
      const left = values[i]!;
      const isReadable = [left, right].every(({ kind }) => kind === "number" || kind === "formula");
      const tolerance = isReadable ? Math.max(halfUnit(left), halfUnit(right)) : 0;
      return compareForms(left, right, { tolerance, percent: false }, oracle);
    }),
  );
}

/** Half a unit of the last decimal place, relatively; 0 for all but decimals. */
function halfUnit(form: Form): number {
  const isRounded = form.kind === "number" && form.isDecimal && form.top !== 0n && form.bottom !== 1n;
  return isRounded ? Math.min(0.5, 0.500001 / Math.abs(Number(form.top))) : 0;
}

/** Known units are converted; a side without one, or with a word for one, is compared by its number. */
function compareQuantities(a: Form, b: Form, compare: Compare): Equality {
  const [left, right] = [inside(a, "quantity"), inside(b, "quantity")];
  const [measured, other] = [a, b].map((form) => (form.kind === "quantity" ? form.measure : undefined));
  if (measured && other) {
    if (measured.dimension !== other.dimension) return "different";
    const isSameUnit = measured.factor.top * other.factor.bottom === other.factor.top * measured.factor.bottom;
    if (measured.dimension === "angle") return compare(inDegrees(a) ?? left, inDegrees(b) ?? right);
    return isSameUnit ? compare(left, right) : compare(scaled(left, measured), scaled(right, other));
  }
  if (measured?.dimension === "angle" || other?.dimension === "angle") return compareAngles(a, b, left, right, compare);
  return compare(asProduct(a, b) ?? left, asProduct(b, a) ?? right);
}

/** An angle without a unit is in radians if it tells pi, else in the unit of the other. */
function compareAngles(a: Form, b: Form, left: Form, right: Form, compare: Compare): Equality {
  const bare = a.kind === "quantity" && a.measure ? b : a;
  const value = bare === a ? left : right;
  if (value.kind !== "formula" || !/\bpi\b/.test(value.text)) return compare(left, right);
  const degrees: Form = { kind: "formula", text: `(${value.text})*180/pi` };
  return bare === a ? compare(degrees, inDegrees(b) ?? right) : compare(inDegrees(a) ?? left, degrees);
}

function inDegrees(form: Form): Form | undefined {
  if (form.kind !== "quantity" || !/^rad/.test(form.unit)) return undefined;
  const text = expressionOf(form.value);
  return text === undefined ? undefined : { kind: "formula", text: `(${text})*180/pi` };
}

function scaled(value: Form, { factor }: Measure): Form {
  if (value.kind === "number") return product(value, factor);
  const text = expressionOf(value);
  return text === undefined ? value : { kind: "formula", text: `(${text})*(${factor.top})/(${factor.bottom})` };
}

/** `5 m` beside a formula such as `5m`: the letter may be a variable in both. */
function asProduct(quantity: Form, other: Form): Form | undefined {
  if (quantity.kind !== "quantity" || quantity.unit.length !== 1 || !textOf(other).includes("v_")) return undefined;
  const text = expressionOf(quantity.value);
  return text === undefined ? undefined : { kind: "formula", text: `(${text})*v_${quantity.unit}` };
}

function compareRatios(a: Form, b: Form, compare: Compare): Equality {
  if (a.kind === "ratio" && b.kind === "ratio") {
    if (a.parts.length !== b.parts.length) return "different";
    const isSame = all(a.parts.map((part, i) => compare(part, b.parts[i]!)));
    if (isSame === "equal" || (a.isClock && b.isClock)) return isSame;
    return all(a.parts.slice(1).map((_, i) => compareQuotients(quotientOf(a, i + 1), quotientOf(b, i + 1), compare)));
  }
  const [left, right] = [a, b].map((form) => (form.kind === "ratio" ? quotientOf(form, 1) : form));
  const isPair = [a, b].every((form) => form.kind !== "ratio" || form.parts.length === 2);
  return isPair ? compareQuotients(left, right, compare) : "different";
}

function compareQuotients(a: Form | undefined, b: Form | undefined, compare: Compare): Equality {
  return a && b ? compare(a, b) : "different";
}

/** The first part by another; undefined for a division by zero. */
function quotientOf({ parts }: Ratio, index: number): Form | undefined {
  const [first, other] = [parts[0]!, parts[index]!];
  if (first.kind === "number" && other.kind === "number") return other.top === 0n ? undefined : quotient(first, other);
  return { kind: "formula", text: `(${expressionOf(first)})/(${expressionOf(other)})` };
}

function compareExpressions(
  a: Formula | Rational,
  b: Formula | Rational,
  { tolerance }: NumberComparison,
  oracle: Oracle,
): Equality {
  const [left, right] = [expressionOf(a)!, expressionOf(b)!];
  if (left === right) return "equal";
  const isDecimal = [a, b].some((side) => side.kind === "number" && side.isDecimal);
  return (
    oracle({ left, right, tolerance: isDecimal ? Math.max(tolerance, rounding) : 0, proportional: false }) ?? "unknown"
  );
}

function textOf(form: Form): string {
  return form.kind === "formula" || form.kind === "equation" ? form.text : "";
}

function expressionOf(form: Form): string | undefined {
  if (form.kind === "formula") return form.text;
  return form.kind === "number" ? formula(`(${form.top})/(${form.bottom})`) : undefined;
}
