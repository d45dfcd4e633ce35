import { membersOf, type Form, type List } from "./forms.ts";
import type { Equality } from "./maths-thread.ts";

/** Compares parts; `isStrict`: another name is another value even if the name is a word. */
export type Compare = (a: Form, b: Form, isStrict?: boolean) => Equality;

/** Tuples, intervals and matrices in their order, sets in any; named values by their names. */
export function compareLists(a: Form, b: Form, compare: Compare): Equality {
  if (a.kind !== "list" || b.kind !== "list") return compareWithOne(a, b, compare);
  const [ours, theirs] = [namesOf(a), namesOf(b)];
  if (ours.length > 1 !== theirs.length > 1) {
    const [left, right] = [asTuple(a, ours), asTuple(b, theirs)];
    return left && right && left !== right ? compareInOrder(left, right, compare) : "different";
  }
  if (a.ordered !== b.ordered || a.brackets !== b.brackets) return "different";
  return a.ordered ? compareInOrder(a.items, b.items, compare) : compareAsSets(a, b, ours.length > 1, compare);
}

/** A set of one element, which duplicates may have filled, is its element: `{3}` is 3. */
function compareWithOne(a: Form, b: Form, compare: Compare): Equality {
  const [items, others] = [membersOf(a), membersOf(b)];
  const isSet = [a, b].every((form) => form.kind !== "list" || (!form.ordered && form.items.length > 0));
  if (!isSet || namesOf(a).length > 1 || namesOf(b).length > 1) return "different";
  if ([...items, ...others].some(({ kind }) => kind === "list")) return "different";
  return all(items.flatMap((item) => others.map((other) => compare(item, other))));
}

function compareInOrder(a: readonly Form[], b: readonly Form[], compare: Compare): Equality {
  if (a.length !== b.length) return "different";
  return all(a.map((item, i) => compare(item, b[i]!)));
}

function compareAsSets(a: List, b: List, isStrict: boolean, compare: Compare): Equality {
  const table = a.items.map((item) => b.items.map((other) => compare(item, other, isStrict)));
  const found = table.map(some);
  const covered = b.items.map((_, column) => some(table.map((row) => row[column]!)));
  return all([...found, ...covered]);
}

/** Names of the values in a list, each once. */
function namesOf(form: Form): string[] {
  if (form.kind !== "list") return [];
  return [...new Set(form.items.flatMap((item) => (item.kind === "named" ? [item.names[0]!.text] : [])))];
}

/** Values in the order of a tuple: by the alphabet if they are named, as (x, y) is understood. */
function asTuple({ items, ordered, brackets }: List, names: readonly string[]): readonly Form[] | undefined {
  if (names.length === 0) return ordered && brackets === "()" ? items : undefined;
  const isOneEach =
    names.length === items.length && items.every((item) => item.kind === "named" && !item.names[0]!.isWord);
  if (!isOneEach) return undefined;
  return items
    .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
    .map((item) => (item.kind === "named" ? item.value : item));
}

function nameOf(form: Form): string {
  return form.kind === "named" ? form.names[0]!.text : "";
}

export function all(parts: readonly Equality[]): Equality {
  if (parts.includes("different")) return "different";
  return parts.includes("unknown") ? "unknown" : "equal";
}

function some(parts: readonly Equality[]): Equality {
  if (parts.includes("equal")) return "equal";
  return parts.includes("unknown") ? "unknown" : "different";
}
