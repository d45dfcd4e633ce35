import type { Rational } from "./rational.ts";
import type { Measure } from "./units.ts";

/** The meaning of an answer, as far as it is understood; `text` is all that is not. */
export type Form =
  | Rational
  | Formula
  | Infinite
  | List
  | RealsWithout
  | Equation
  | Named
  | Chain
  | Quantity
  | Ratio
  | Choice
  | Label
  | Unread;

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
/** The real numbers without some points; all of them without any. */
export interface RealsWithout {
  readonly kind: "reals";
  readonly without: List;
}
/** A relation of variables, for which the left side counts too. */
export interface Equation {
  readonly kind: "equation";
  /** Left side less right side. */
  readonly text: string;
}
/** A value and what it is the value of. */
export interface Named {
  readonly kind: "named";
  /** Several for `y = f(x) = 2x`. */
  readonly names: readonly Name[];
  readonly value: Form;
}
export interface Name {
  readonly text: string;
  /** A word says what the value is; another word may say the same. A variable is told from every other. */
  readonly isWord: boolean;
}
/** `2 + 3 = 5`: the last side is the value, if those without variables are equal. */
export interface Chain {
  readonly kind: "chain";
  /** The sides without variables, the last one included. */
  readonly sides: readonly Form[];
  readonly value: Form;
}
export interface Quantity {
  readonly kind: "quantity";
  readonly value: Form;
  readonly unit: string;
  /** Undefined for units that are only words, as in `5 apples`. */
  readonly measure: Measure | undefined;
}
export interface Ratio {
  readonly kind: "ratio";
  readonly parts: readonly Form[];
  /** It may be a time of day. */
  readonly isClock: boolean;
}
/** `(B) 5`. */
export interface Choice {
  readonly kind: "choice";
  readonly letter: string;
  readonly value: Form;
}
/** A time, a date, a number in another base, a set with a name: equal to the same label only. */
export interface Label {
  readonly kind: "label";
  readonly text: string;
}
export interface Unread {
  readonly kind: "text";
  readonly text: string;
}

/** Reads a part of an answer; undefined = not understood, or nested too deeply. */
export type Read = (text: string) => Form | undefined;

/** A set, or a union. */
export function set(items: readonly Form[]): List {
  return { kind: "list", ordered: false, brackets: "", items };
}

/** A tuple, an interval, a row of a matrix. */
export function tuple(items: readonly Form[], brackets: string): List {
  return { kind: "list", ordered: true, brackets, items };
}

export function infinite(isNegative: boolean): Infinite {
  return { kind: "infinity", isNegative };
}

/** What is in a set; anything else is by itself. */
export function membersOf(form: Form): readonly Form[] {
  return form.kind === "list" && !form.ordered ? form.items : [form];
}

/** A value without its name, its unit and the calculation before it. */
export function valueOf(form: Form): Form {
  let value = form;
  while (value.kind === "named" || value.kind === "chain" || value.kind === "quantity") value = value.value;
  return value;
}

export function hasVariables(form: Form): boolean {
  const value = valueOf(form);
  if (value.kind === "list") return value.items.some(hasVariables);
  return value.kind === "equation" || (value.kind === "formula" && value.text.includes("v_"));
}
