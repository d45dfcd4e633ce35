import { normalizeAnswer } from "./final-answer.ts";

/** Whether two answers are the same number, or the same text but for case and spaces. */
export function sameAnswer(a: string, b: string): boolean {
  const [left, right] = [normalizeAnswer(a), normalizeAnswer(b)];
  if (left === right) return true;
  const [x, y] = [numberOf(left), numberOf(right)];
  if (x !== undefined && y !== undefined) {
    const isRounded = /[/{]/.test(left + right); // a fraction may have no end as a decimal
    return x === y || (isRounded && Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y)));
  }
  const fold = (text: string): string => text.toLowerCase().replace(/\s+/g, "");
  return fold(left) === fold(right);
}

/** A decimal number or a fraction. */
function numberOf(text: string): number | undefined {
  const fraction = /^(-?)(?:\\[dt]?frac\{(\d+)\}\{(\d+)\}|(\d+) ?\/ ?(\d+))$/.exec(text);
  if (fraction) {
    const [, sign, a, b, c, d] = fraction;
    const value = Number(a ?? c) / Number(b ?? d);
    return Number.isFinite(value) ? (sign === "-" ? -value : value) : undefined;
  }
  return /^-?(?:\d+(?:\.\d+)?)(?:e[-+]?\d+)?$/i.test(text) ? Number(text) : undefined;
}
