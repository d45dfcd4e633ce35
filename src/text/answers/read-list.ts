import { membersOf, set, tuple, type Form, type List, type Read } from "./forms.ts";
import { conditionOf, intersectionOf, intervalOf, unionOf } from "./real-sets.ts";
import { isOneGroup, split } from "./split.ts";

const mostItems = 50;
const closing: Readonly<Record<string, string>> = { "(": ")", "[": "]", "«": "»" };

/** Sets, unions, lists without brackets, and `a ± b`. */
export function readAlternatives(text: string, read: Read): Form | undefined {
  const united = split(text, / ?\\cup(?![A-Za-z])/y);
  if (united.length > 1) {
    const forms = formsOf(united, read);
    return forms && unionOf(forms);
  }
  const parts = split(text, /(?: or | and |;)/y);
  if (parts.length > 1) {
    const forms = formsOf(parts, read);
    const common = forms && / and /.test(text) && !/ or /.test(text) ? intersection(forms) : undefined;
    return common ?? (forms && alternatives(forms));
  }
  const grouped = text.includes(", ") ? text.replace(/(?<![\d.,])\d{1,3}(?:,\d{3})+(?!,?\d)/g, ungroup) : text;
  const listed = split(grouped, /,/y);
  if (listed.length > 1) return listOf(listed, read);
  return readEither(text, read);
}

/** `1 ± 2` is both; two signs are taken together only if the second is `∓`. */
function readEither(text: string, read: Read): Form | undefined {
  if (text.split(/\\pm(?![A-Za-z])/).length !== 2) return undefined;
  const with_ = (first: string, second: string): string =>
    text.replace(/\\pm(?![A-Za-z])/, first).replace(/\\mp(?![A-Za-z])/g, second);
  return listOf([with_("+", "-"), with_("-", "+")], read);
}

function ungroup(number: string): string {
  return number.replaceAll(",", "");
}

function formsOf(parts: readonly string[], read: Read): Form[] | undefined {
  if (parts.length > mostItems) return undefined;
  const forms = parts.map(read);
  return forms.every((form) => form !== undefined) ? forms : undefined;
}

/** The values of one variable, without its name. */
function bare(forms: readonly Form[]): { forms: Form[]; rename: (form: Form) => Form } {
  const [first] = forms;
  const isOne = forms.every(
    (form) => form.kind === "named" && first!.kind === "named" && form.names[0]!.text === first!.names[0]!.text,
  );
  if (!isOne || first!.kind !== "named") return { forms: [...forms], rename: (form) => form };
  return {
    forms: forms.map((form) => (form as typeof first).value),
    rename: (value) => ({ ...first, value }),
  };
}

function intersection(forms: readonly Form[]): Form | undefined {
  const { forms: values, rename } = bare(forms);
  const common = intersectionOf(values);
  return common && rename(common);
}

function alternatives(forms: readonly Form[]): Form {
  const { forms: values, rename } = bare(forms);
  if (values.every((value) => value.kind === "list" && value.ordered && value.items.some(isInfinite)))
    return rename(unionOf(values));
  const isUnion = forms.every((form) => form.kind === "list");
  return list(isUnion ? forms : forms.flatMap(membersOf));
}

function isInfinite(form: Form): boolean {
  return form.kind === "infinity";
}

/** The name of the first item is that of the items behind it, as in `x = 1, 2`. */
function list(items: readonly Form[]): List {
  const [first, ...rest] = items;
  const isShared = first?.kind === "named" && rest.every(({ kind }) => kind === "number" || kind === "formula");
  return set(isShared ? [first, ...rest.map((value): Form => ({ ...first, value }))] : items);
}

export function readBrackets(text: string, read: Read): Form | undefined {
  text = text.replace(/^\\[lr]?angle|^\\langle/, "(").replace(/\\rangle$/, ")");
  const [first, last] = [text[0]!, text.at(-1)!];
  const inside = text.slice(1, -1);
  if (first === "{" && last === "}" && isOneGroup(text)) {
    const parts = split(inside, /,/y);
    return parts.length > 1 ? listOf(parts, read) : read(inside);
  }
  if (!(first in closing) || !")]»".includes(last) || !isOneGroup(text)) return undefined;
  if (first === "«") return last === "»" ? readSet(inside, read) : undefined;
  const parts = split(inside, /,/y);
  if (parts.length === 2) return intervalOf(read(parts[0]!), read(parts[1]!), first + last);
  if (parts.length > 1) return tupleOf(parts, first + last, read);
  return closing[first] === last && first === "(" ? read(inside) : undefined;
}

function readSet(inside: string, read: Read): Form | undefined {
  const condition = conditionOf(inside);
  if (condition !== undefined) return read(condition);
  const forms = formsOf(split(inside, /,/y), read);
  const [only] = forms ?? [];
  const isPair = forms?.length === 1 && only!.kind === "list" && !only!.ordered;
  return isPair ? only : forms && set(forms);
}

export function readMatrix(text: string, read: Read): Form | undefined {
  const cases = /^\\begin ?\{(?:cases|aligned)\}(.*)\\end ?\{(?:cases|aligned)\}$/s.exec(text)?.[1];
  if (cases !== undefined) return /\\begin/.test(cases) ? undefined : listOf(rowsOf(cases.replaceAll("&", "")), read);
  const array = /^([[(]?) ?\\begin ?\{array\} ?\{[lcr| ]*\}(.*)\\end ?\{array\} ?([\])]?)$/s.exec(text);
  const matrix = /^\\begin ?\{(?:[pbB]|small)?matrix\}(.*)\\end ?\{(?:[pbB]|small)?matrix\}$/s.exec(text);
  const inside = array && (closing[array[1]!] ?? "") === array[3] ? array[2]! : matrix?.[1];
  if (inside === undefined || inside.includes("\\begin")) return undefined;
  const lists = rowsOf(inside).map((row) => tupleOf(row.split("&"), "()", read));
  if (!lists.every((row) => row !== undefined)) return undefined;
  const column = lists.map(({ items }) => (items.length === 1 ? items[0]! : undefined));
  const items = column.every((item) => item !== undefined) ? column : lists;
  return tuple(items, "()");
}

function rowsOf(inside: string): string[] {
  return inside
    .replace(/[\\]{2}\s*$/, "")
    .split("\\\\")
    .map((row) => row.trim().replace(/,$/, ""));
}

function listOf(parts: readonly string[], read: Read): List | undefined {
  const items = formsOf(parts, read);
  return items && list(items);
}

function tupleOf(parts: readonly string[], brackets: string, read: Read): List | undefined {
  const items = formsOf(parts, read);
  return items && tuple(items, brackets);
}
