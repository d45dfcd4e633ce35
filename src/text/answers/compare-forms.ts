import { formula } from "./formula.ts";
import type { Comparison, Equality } from "./maths-thread.ts";
import { sameNumber, type NumberComparison, type Rational } from "./rational.ts";
import type { Form, Formula, List } from "./read-answer.ts";

/** Answers a comparison that needs the maths library; undefined = not known yet. */
export type Oracle = (comparison: Comparison) => Equality | undefined;

/** A decimal agrees with an expression when it is as near as this, relatively. */
const rounding = 1e-9;
const onlyWords = /^[\p{L}'’.-]+$/u;

/**
 * Whether answer `a` means what reference `b` means. Every comparison that the library has to make is put to the oracle.
 */
export function compareForms(a: Form, b: Form, options: NumberComparison, oracle: Oracle): Equality {
  if (b.kind === "text") {
    if (a.kind === "text" && a.text === b.text) return "equal";
    return onlyWords.test(b.text) ? "different" : "unknown";
  }
  if (a.kind === "text") return "unknown";
  if (a.kind === "number" && b.kind === "number") return equality(sameNumber(a, b, options));
  if (a.kind === "list" || b.kind === "list")
    return a.kind === b.kind ? compareLists(a as List, b as List, options, oracle) : "different";
  if (a.kind === "infinity" || b.kind === "infinity")
    return equality(
      a.kind === b.kind && (a as { isNegative: boolean }).isNegative === (b as { isNegative: boolean }).isNegative,
    );
  if (a.kind === "equation" || b.kind === "equation") {
    if (a.kind !== b.kind) return "different";
    const [left, right] = [(a as { text: string }).text, (b as { text: string }).text];
    return left === right ? "equal" : (oracle({ left, right, tolerance: 0, proportional: true }) ?? "unknown");
  }
  return compareExpressions(a, b, options, oracle);
}

function equality(same: boolean): Equality {
  return same ? "equal" : "different";
}

function compareExpressions(
  a: Formula | Rational,
  b: Formula | Rational,
  { tolerance }: NumberComparison,
  oracle: Oracle,
): Equality {
  const [left, right] = [expressionOf(a), expressionOf(b)];
  if (left === right) return "equal";
  const isDecimal = [a, b].some((side) => side.kind === "number" && side.isDecimal);
  return (
    oracle({ left, right, tolerance: isDecimal ? Math.max(tolerance, rounding) : 0, proportional: false }) ?? "unknown"
  );
}

function expressionOf(form: Formula | Rational): string {
  return form.kind === "formula" ? form.text : formula(`(${form.top})/(${form.bottom})`)!;
}

function compareLists(a: List, b: List, options: NumberComparison, oracle: Oracle): Equality {
  if (a.ordered !== b.ordered || a.brackets !== b.brackets) return "different";
  if (a.ordered) {
    if (a.items.length !== b.items.length) return "different";
    return all(a.items.map((item, i) => compareForms(item, b.items[i]!, options, oracle)));
  }
  const table = a.items.map((item) => b.items.map((other) => compareForms(item, other, options, oracle)));
  const found = table.map(some);
  const covered = b.items.map((_, column) => some(table.map((row) => row[column]!)));
  return all([...found, ...covered]);
}

function all(parts: readonly Equality[]): Equality {
  if (parts.includes("different")) return "different";
  return parts.includes("unknown") ? "unknown" : "equal";
}

function some(parts: readonly Equality[]): Equality {
  if (parts.includes("equal")) return "equal";
  return parts.includes("unknown") ? "unknown" : "different";
}
