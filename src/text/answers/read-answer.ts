import { infinite, set, type Form, type Read } from "./forms.ts";
import { formula } from "./formula.ts";
import { readLabel } from "./labels.ts";
import { plainText, spelled, withoutQuotedSigns } from "./plain-text.ts";
import { readNumber } from "./rational.ts";
import { readAlternatives, readBrackets, readMatrix } from "./read-list.ts";
import { readRelation } from "./read-relation.ts";
import { readReals } from "./real-sets.ts";
import { split } from "./split.ts";
import { measureOf, multipleAndUnit, valueAndUnit } from "./units.ts";

/** Longer answers are compared as texts only. */
const longestAnswer = 1000;
const deepest = 6;
/** Parts that one answer may be read as, in all its readings: each part may be looked at in several ways. */
const mostReadings = 2000;

/** Whether an answer is understood as mathematics. */
export function isReadable(answer: string): boolean {
  return readAnswer(answer).kind !== "text";
}

/** Ends for every text: how deep and how often parts of it are read is bounded. */
export function readAnswer(answer: string): Form {
  const trimmed = answer.length > longestAnswer ? undefined : answer.trim();
  if (trimmed === undefined || trimmed === "") return { kind: "text", text: spelled(answer) };
  const number = readNumber(trimmed);
  if (number) return number;
  const text = plainText(trimmed);
  let readings = 0;
  const readAt = (part: string, depth: number): Form | undefined => {
    if (depth > deepest || ++readings > mostReadings || part.length > 2 * longestAnswer) return undefined;
    return readForm(part.trim(), (inner) => readAt(inner, depth + 1));
  };
  return readAt(text, 0) ?? { kind: "text", text: spelled(text) };
}

function readForm(text: string, read: Read): Form | undefined {
  if (text === "" || /^nan$/i.test(text)) return undefined;
  const simple = readNumber(text) ?? readConstant(text) ?? readLabel(text) ?? readReals(text, read);
  if (simple) return simple;
  return (
    readQuantity(text, read) ??
    readChoice(text, read) ??
    readMatrix(text, read) ??
    readRelation(text, read) ??
    readAlternatives(text, read) ??
    readBrackets(text, read) ??
    readRatio(text, read) ??
    readFormula(text)
  );
}

function readConstant(text: string): Form | undefined {
  const infinity = /^([-+]?) ?(?:\\infty|infinity|inf)$/i.exec(text);
  if (infinity) return infinite(infinity[1] === "-");
  const isEmpty = /^(?:\\emptyset|\\varnothing|« ?»|"?(?:the )?empty set"?|"?no solutions?"?|无解)$/i.test(text);
  return isEmpty ? set([]) : undefined;
}

function readQuantity(text: string, read: Read): Form | undefined {
  const parts = valueAndUnit(text);
  if (
    !parts ||
    /(?:^|[ "])(?:and|or|is)(?:[ "]|$)/.test(parts.unit) ||
    split(text, /(?:,(?!\d{3}(?!\d))|;|[<>=]| or | and )/y).length > 1
  )
    return undefined;
  const value = read(parts.value);
  if (!value || ["choice", "label", "named", "chain", "reals"].includes(value.kind)) return undefined;
  const multiple = value.kind === "number" ? multipleAndUnit(parts.unit) : undefined;
  if (!multiple || value.kind !== "number") return quantity(value, parts.unit);
  const product = { ...value, top: value.top * multiple.multiple };
  return multiple.unit === "" ? product : quantity(product, multiple.unit);
}

function quantity(value: Form, unit: string): Form {
  return { kind: "quantity", value, unit, measure: measureOf(unit) };
}

/** `(B) 5`, `B. 5`; a letter by itself is a formula. */
function readChoice(text: string, read: Read): Form | undefined {
  const named = /^"?(?:option|choice)"? ?\(?([A-J])\)?"?$/i.exec(text);
  if (named) return read(named[1]!.toUpperCase());
  const [, inBrackets, before, rest] = /^(?:\(([A-J])\)|([A-J])[).:]) +(.+)$/.exec(text) ?? [];
  const letter = inBrackets ?? before;
  if (letter === undefined || /^[-+*/^=<>(]/.test(rest!)) return undefined;
  return { kind: "choice", letter, value: read(rest!) ?? { kind: "text", text: spelled(rest!) } };
}

/** `2:3`, `1 : 2 : 3`. */
function readRatio(text: string, read: Read): Form | undefined {
  const parts = split(text, / ?: ?/y);
  if (parts.length < 2 || parts.length > 10) return undefined;
  const forms = parts.map(read);
  if (!forms.every((form) => form?.kind === "number" || form?.kind === "formula")) return undefined;
  const isClock = /^\d{1,2}:[0-5]\d$/.test(text) && Number(text.split(":")[0]) <= 24;
  return { kind: "ratio", parts: forms, isClock };
}

function readFormula(text: string): Form | undefined {
  if (isWord(text)) return undefined;
  const read = formula(withoutQuotedSigns(text));
  return read === undefined ? undefined : (readNumber(read) ?? { kind: "formula", text: read });
}

/** Two or three letters are a product, such as `xy` or `abc`, or a word, such as `no` or `red`. */
function isWord(text: string): boolean {
  return /^[A-Za-z]{2,3}$/.test(text) && !/^(?:[^aeiouAEIOU]+|[abcxyz]+|pi|[a-z]?[ei])$/.test(text);
}
