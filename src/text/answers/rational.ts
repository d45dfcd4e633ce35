/** An exact number; `bottom` is positive. */
export interface Rational {
  readonly kind: "number";
  readonly top: bigint;
  readonly bottom: bigint;
  /** Written with a decimal point or an exponent of ten: it may have been rounded. */
  readonly isDecimal: boolean;
}

const mostDigits = 1000;
const bar = String.raw`\\(?:overline|overbar|bar|dot)`;
/** A period under a bar, under a dot, in parentheses, from dot to dot, or written out and left open. */
const repeating = new RegExp(
  String.raw`^([-+]?)(\d*)\.(\d*?)(?:${bar} ?(?:\{ ?(\d+) ?\}|(\d))|\((\d+)\)|\\dot ?\{?(\d)\}?(\d*)\\dot ?\{?(\d)\}?|(?:(\d)\10{2,}|(\d{2,6})\11+)\\ldots)$`,
);
const integer = /^[-+]?\d{1,15}$/;
const decimal = /^([-+]?)(\d*)(?:\.(\d*))?(?:(?:[eE]|(?:\*|\\times|\\cdot) ?10 ?\^ ?)\{?([-+]?\d{1,4})\}?)?$/;
const fraction = /^([-+]?) ?(?:\\frac ?\{ ?([-+]?)(\d+) ?\} ?\{ ?(\d+) ?\}|(\d+) ?\/ ?(\d+))$/;
const mixed = /^([-+]?)(\d+)(?: ?\\frac ?\{ ?(\d+) ?\} ?\{ ?(\d+) ?\}| (\d+) ?\/ ?(\d+))$/;
const thousands = /^([-+]?\d{1,3})((?:,\d{3})+)((?:\.\d*)?)$/;

/** Integers, decimals, thousands with commas, scientific notation, fractions, mixed numbers and repeating decimals. */
export function readNumber(text: string): Rational | undefined {
  if (integer.test(text)) return { kind: "number", top: BigInt(text.replace("+", "")), bottom: 1n, isDecimal: false };
  if (text.length > mostDigits) return undefined;
  const grouped = thousands.exec(text);
  if (grouped) return readDecimal(grouped[1]! + grouped[2]!.replaceAll(",", "") + grouped[3]!);
  return readDecimal(text) ?? readFraction(text) ?? readRepeating(text);
}

/** `0.8\overline{3}` is (83 - 8) / 90. */
function readRepeating(text: string): Rational | undefined {
  const match = repeating.exec(text);
  if (!match) return undefined;
  const [, sign, whole = "", start = "", inBraces, underBar, inParentheses, first, between, last, digit, group] = match;
  const dotted = first === undefined ? undefined : first + between! + last!;
  const period = inBraces ?? underBar ?? inParentheses ?? dotted ?? digit ?? group!;
  const before = `${whole}${start}`;
  const bottom = (10n ** BigInt(period.length) - 1n) * 10n ** BigInt(start.length);
  return ratio(BigInt(before + period) - BigInt(before === "" ? 0 : before), bottom, sign === "-");
}

function readDecimal(text: string): Rational | undefined {
  const match = decimal.exec(text);
  if (!match) return undefined;
  const [, sign, whole = "", part = "", exponent = "0"] = match;
  const power = Number(exponent) - part.length;
  if (whole + part === "" || Math.abs(power) > mostDigits) return undefined;
  const digits = BigInt(whole + part) * (sign === "-" ? -1n : 1n);
  const scale = 10n ** BigInt(Math.abs(power));
  const isDecimal = part !== "" || match[4] !== undefined;
  return power >= 0
    ? { kind: "number", top: digits * scale, bottom: 1n, isDecimal }
    : { kind: "number", top: digits, bottom: scale, isDecimal };
}

function readFraction(text: string): Rational | undefined {
  const plain = fraction.exec(text);
  if (plain) {
    const [, sign, innerSign, a, b, c, d] = plain;
    return ratio(BigInt(a ?? c!), BigInt(b ?? d!), (sign === "-") !== (innerSign === "-"));
  }
  const whole = mixed.exec(text);
  if (!whole) return undefined;
  const [, sign, first, a, b, c, d] = whole;
  const bottom = BigInt(b ?? d!);
  return ratio(BigInt(first!) * bottom + BigInt(a ?? c!), bottom, sign === "-");
}

function ratio(top: bigint, bottom: bigint, isNegative: boolean): Rational | undefined {
  if (bottom === 0n) return undefined;
  return { kind: "number", top: isNegative ? -top : top, bottom, isDecimal: false };
}

/** A decimal where `a` is one. */
export function product(a: Rational, b: Rational): Rational {
  return { ...a, top: a.top * b.top, bottom: a.bottom * b.bottom };
}

/** A decimal where `a` is one; `b` is not 0. */
export function quotient(a: Rational, b: Rational): Rational {
  const [top, bottom] = [a.top * b.bottom, a.bottom * b.top];
  return { ...a, top: bottom < 0n ? -top : top, bottom: bottom < 0n ? -bottom : bottom };
}

/** What counts as the same number. */
export interface NumberComparison {
  /** Largest relative difference where one of the two is a decimal. */
  tolerance: number;
  /** Accept a number for a hundred times it. */
  percent: boolean;
}

/** A decimal agrees with an expression, or a fraction that has no end as a decimal, when its error is this small, relatively. */
export const rounding = 1e-9;

export function sameNumber(a: Rational, b: Rational, { tolerance, percent }: NumberComparison): boolean {
  const [left, right] = [a.top * b.bottom, b.top * a.bottom];
  if (left === right) return true;
  if (percent && (left * 100n === right || right * 100n === left)) return true;
  if (!a.isDecimal && !b.isDecimal) return false;
  const isRounded = endless(a) || endless(b);
  return near(left, right, Math.max(tolerance, isRounded ? rounding : 0));
}

/** Has no end as a decimal. */
function endless({ isDecimal, bottom }: Rational): boolean {
  if (isDecimal) return false;
  let rest = bottom;
  while (rest % 2n === 0n) rest /= 2n;
  while (rest % 5n === 0n) rest /= 5n;
  return rest !== 1n;
}

function near(a: bigint, b: bigint, tolerance: number): boolean {
  if (tolerance === 0) return false;
  const size = (x: bigint): bigint => (x < 0n ? -x : x);
  const larger = size(a) > size(b) ? size(a) : size(b);
  return size(a - b) * 1_000_000_000_000n <= larger * BigInt(Math.round(tolerance * 1e12));
}
