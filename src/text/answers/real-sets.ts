import { infinite, membersOf, set, tuple, type Form, type List, type Read } from "./forms.ts";
import { split } from "./split.ts";

const line = String.raw`(?:\\mathbb ?(?:\{ ?R ?\}|R)|\\R(?![A-Za-z])|ℝ|"?(?:all )?(?:the )?real numbers"?|"?all reals"?)`;
const reals = new RegExp(String.raw`^${line}(?: ?(?:\\setminus|\\backslash|-|"?except(?: for)?"?) ?(.+))?$`, "i");

/** The real numbers, and the real numbers without some points. */
export function readReals(text: string, read: Read): Form | undefined {
  const match = reals.exec(text);
  if (!match) return undefined;
  if (match[1] === undefined) return { kind: "reals", without: set([]) };
  const without = read(match[1]);
  if (!without || without.kind === "reals") return undefined;
  if (without.kind === "list" && without.ordered) return undefined;
  return { kind: "reals", without: set(membersOf(without)) };
}

/** All real numbers for `(-∞, ∞)`. */
export function intervalOf(low: Form | undefined, high: Form | undefined, brackets: string): Form | undefined {
  if (!low || !high) return undefined;
  const isLine = brackets === "()" && isSame(low, infinite(true)) && isSame(high, infinite(false));
  return isLine ? { kind: "reals", without: set([]) } : tuple([low, high], brackets);
}

/** One union in one way: intervals that touch are joined, and the line without points is told by its points. */
export function unionOf(parts: readonly Form[]): Form {
  const intervals = parts.map(asInterval);
  if (!intervals.every((interval) => interval !== undefined)) return set(parts.flatMap(membersOf));
  const joined = allJoined(intervals);
  const [only] = joined;
  if (joined.length === 1) return intervalOf(only!.items[0], only!.items[1], only!.brackets)!;
  return punctured(joined) ?? set(joined);
}

/** Until no two of them can be joined. */
function allJoined(intervals: readonly List[]): readonly List[] {
  for (const [i, a] of intervals.entries())
    for (const [j, b] of intervals.entries()) {
      const joined = i === j ? undefined : join(a, b);
      if (joined) return allJoined([joined, ...intervals.filter((_, at) => at !== i && at !== j)]);
    }
  return intervals;
}

/** `x > 2 and x < 5`; undefined where one set does not cut the other into an interval. */
export function intersectionOf(parts: readonly Form[]): Form | undefined {
  if (parts.every((part) => part.kind === "reals"))
    return { kind: "reals", without: set(parts.flatMap((part) => part.without.items)) };
  const [a, b] = parts.map(asInterval);
  if (parts.length !== 2 || !a || !b) return undefined;
  const upward = [a, b].find(({ items }) => isSame(items[1]!, infinite(false)));
  const downward = [a, b].find(({ items }) => isSame(items[0]!, infinite(true)));
  if (!upward || !downward || upward === downward) return undefined;
  const [low, high] = [upward.items[0]!, downward.items[1]!];
  return (order(low, high) ?? -1) < 0 ? intervalOf(low, high, upward.brackets[0]! + downward.brackets[1]!) : undefined;
}

function asInterval(form: Form): List | undefined {
  const isInterval =
    form.kind === "list" && form.ordered && form.items.length === 2 && /^[[(][\])]$/.test(form.brackets);
  return isInterval ? form : undefined;
}

/** The union of two intervals, where it is known to be one, and the first begins first. */
function join(a: List, b: List): List | undefined {
  const [[low, high], [start, end]] = [a.items, b.items] as unknown as [[Form, Form], [Form, Form]];
  const isTouching = isSame(high, start) && (a.brackets[1] === "]" || b.brackets[0] === "[");
  const isOverlapping = order(start, high) === -1 && order(low, start) === -1 && order(high, end) === -1;
  if (!isTouching && !isOverlapping) return undefined;
  return tuple([low, end], a.brackets[0]! + b.brackets[1]!);
}

function punctured(items: readonly List[]): Form | undefined {
  const points: Form[] = [];
  let next = items.find((item) => isSame(item.items[0]!, infinite(true)));
  while (next?.brackets === "()") {
    const high: Form = next.items[1]!;
    if (isSame(high, infinite(false)))
      return points.length === items.length - 1 ? { kind: "reals", without: set(points) } : undefined;
    if (points.length === items.length) return undefined;
    points.push(high);
    next = items.find((item) => isSame(item.items[0]!, high));
  }
  return undefined;
}

/** -1, 0 or 1; undefined if it takes more than a look. */
function order(a: Form, b: Form): number | undefined {
  if (a.kind === "infinity" || b.kind === "infinity") {
    const rank = (form: Form): number => (form.kind !== "infinity" ? 0 : form.isNegative ? -1 : 1);
    return Math.sign(rank(a) - rank(b));
  }
  if (a.kind !== "number" || b.kind !== "number") return undefined;
  const difference = a.top * b.bottom - b.top * a.bottom;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function isSame(a: Form, b: Form): boolean {
  return a.kind === "formula" && b.kind === "formula" ? a.text === b.text : order(a, b) === 0;
}

/** `{x | x > 2}`: what stands behind the line. */
export function conditionOf(set: string): string | undefined {
  const [left, ...right] = split(set, /(?:\||\\mid(?![A-Za-z])|:)/y);
  return right.length === 1 && /^ ?[a-z] ?(?:\\in.*)?$/.test(left!) ? right[0] : undefined;
}
