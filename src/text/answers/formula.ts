import { greekLetters } from "./greek.ts";

const token = /\s*(?:((?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)|\\([A-Za-z]+)|([A-Za-z]+)|(\*\*|[-+*/^_()[\]{}|!]))/y;
/** In the order of the expression's groups. */
const kinds = ["number", "command", "letters", "sign"] as const;

/** Names as they are read, and as the maths library calls them. */
const functions = new Map([
  ...["sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "exp", "abs"].map(
    (name) => [name, name] as const,
  ),
  ...[["ln", "log"] as const, ["log", "log10"] as const, ["lg", "log10"] as const],
  ...[["arcsin", "asin"] as const, ["arccos", "acos"] as const, ["arctan", "atan"] as const],
  ...[["asin", "asin"] as const, ["acos", "acos"] as const, ["atan", "atan"] as const],
]);
const greek = new Set(greekLetters);
const constants = new Set(["pi", "e", "i"]);
const products = new Set(["cdot", "times", "ast"]);
const deepest = 40;
const largestFactorial = 200;
const longExponent = /e[-+]?\d{4}/i;

class Unreadable extends Error {}
/** Made once: the place where a text stops being a formula is of no interest, and would take longer than the reading. */
const unreadable = new Unreadable();

interface Token {
  readonly kind: (typeof kinds)[number];
  readonly text: string;
}

/**
 * LaTeX or plain notation as an expression of numbers, `+ - * / ^`, parentheses, a fixed set of functions, the
 * constants pi, e, i, and variables, each of which is renamed to `v_...`: no name of the input reaches the library.
 *
 * @returns undefined for everything else
 */
export function formula(text: string): string | undefined {
  try {
    const tokens = tokensOf(text);
    if (tokens.length === 0) return undefined;
    const reader = new Reader(tokens);
    const expression = reader.sum();
    return reader.isAtEnd() ? expression : undefined;
  } catch (error) {
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const rest = text.trimEnd();
  let lettersBefore = 0;
  token.lastIndex = 0;
  while (token.lastIndex < rest.length) {
    const match = token.exec(rest);
    if (!match) throw unreadable;
    const group = match.findIndex((value, i) => i > 0 && value !== undefined);
    const [kind, found] = [kinds[group - 1]!, match[group]!];
    if (kind === "number" && longExponent.test(found)) throw unreadable;
    if (kind !== "letters" || functions.has(found) || found === "sqrt" || constants.has(found)) {
      tokens.push({ kind: kind === "letters" ? "command" : kind, text: found });
      lettersBefore = 0;
      continue;
    }
    // Short runs are products of variables; long ones, and several side by side, are words.
    if (found.length > 3 || (lettersBefore > 0 && lettersBefore + found.length > 2)) throw unreadable;
    for (const letter of found) tokens.push({ kind: constants.has(letter) ? "command" : "letters", text: letter });
    lettersBefore = found.length;
  }
  return tokens;
}

class Reader {
  private at = 0;
  private depth = 0;
  private readonly tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  isAtEnd(): boolean {
    return this.at === this.tokens.length;
  }

  sum(): string {
    if (++this.depth > deepest) throw unreadable;
    let text = "";
    do {
      const sign = this.skip("-") ? "-" : this.skip("+") ? "+" : "";
      text += `${sign === "" && text !== "" ? "+" : sign}${this.product()}`;
    } while (this.isSign("+", "-"));
    const next = this.tokens[this.at];
    if (next?.kind === "command" && (next.text === "over" || next.text === "choose")) {
      this.at++;
      const below = this.sum();
      text = next.text === "over" ? `((${text})/(${below}))` : binomial(text, below);
    }
    this.depth--;
    return text;
  }

  private product(): string {
    let text = this.power();
    for (;;) {
      const next = this.tokens[this.at];
      if (this.isSign("*", "/") || (next?.kind === "command" && (products.has(next.text) || next.text === "div"))) {
        this.at++;
        const isQuotient = next!.text === "/" || next!.text === "div";
        const sign = this.skip("-") ? "-" : "";
        text += `${isQuotient ? "/" : "*"}(${sign}${this.power()})`;
      } else if (this.startsFactor()) text += `*${this.power()}`;
      else return text;
    }
  }

  /** Whether the next token begins a factor without a sign of multiplication before it. */
  private startsFactor(): boolean {
    const next = this.tokens[this.at];
    if (!next || (next.kind === "number" && this.tokens[this.at - 1]?.kind === "number")) return false;
    if (next.kind === "sign") return "([{".includes(next.text);
    return !["rfloor", "rceil", "rvert", "mid", "over", "choose"].includes(next.text);
  }

  private power(): string {
    if (++this.depth > deepest) throw unreadable;
    let base = this.atom();
    while (this.skip("!")) base = factorial(base);
    if (this.skip("^") || this.skip("**")) base = `(${base})^(${this.exponent()})`;
    this.depth--;
    return base;
  }

  private exponent(): string {
    const sign = this.skip("-") ? "-" : "";
    return `${sign}${this.power()}`;
  }

  private atom(): string {
    const next = this.tokens[this.at++];
    if (!next) throw unreadable;
    if (next.kind === "number") return this.mixed(next.text);
    if (next.kind === "letters") return this.variable(next.text);
    if (next.kind === "sign") return this.group(next.text);
    return this.command(next.text);
  }

  /** `3\frac{1}{2}` is three and a half. */
  private mixed(number: string): string {
    const [command, ...rest] = this.tokens.slice(this.at, this.at + 7);
    const isMixed =
      /^\d+$/.test(number) &&
      command?.kind === "command" &&
      command.text === "frac" &&
      /^\{\d+\}\{\d+\}$/.test(rest.map(({ text }) => text).join(""));
    if (!isMixed) return number;
    this.at += 7;
    return `(${number}+${rest[1]!.text}/${rest[4]!.text})`;
  }

  private variable(letter: string): string {
    if (!this.skip("_")) return `v_${letter}`;
    const isGroup = this.skip("{");
    const index = this.tokens[this.at++];
    if (!index || !/^[A-Za-z\d]+$/.test(index.text)) throw unreadable;
    if (isGroup) this.expect("}");
    return `v_${letter}_${index.text}`;
  }

  private group(open: string): string {
    const close = { "(": ")", "[": "]", "{": "}", "|": "|" }[open];
    if (close === undefined) throw unreadable;
    const inner = this.sum();
    this.expect(close);
    return open === "|" ? `abs(${inner})` : `(${inner})`;
  }

  private command(name: string): string {
    if (constants.has(name)) return name;
    if (greek.has(name)) return this.variable(name);
    if (functions.has(name)) return this.call(name);
    switch (name) {
      case "frac":
        return `((${this.argument()})/(${this.argument()}))`;
      case "sqrt": {
        if (!this.skip("[")) return `sqrt(${this.argument()})`;
        const root = this.enclosed("]");
        return `(${this.argument()})^(1/(${root}))`;
      }
      case "binom":
        return binomial(this.argument(), this.argument());
      case "lfloor":
        return `floor(${this.enclosed("rfloor")})`;
      case "lceil":
        return `ceil(${this.enclosed("rceil")})`;
      case "lvert":
        return `abs(${this.enclosed("rvert")})`;
      default:
        throw unreadable;
    }
  }

  private enclosed(close: string): string {
    const inner = this.sum();
    this.expect(close);
    return inner;
  }

  /** `\sin^2 2x`: the argument without parentheses ends at a sign or at another function. */
  private call(name: string): string {
    const base = name === "log" && this.skip("_") ? this.argument() : undefined;
    const exponent = this.skip("^") ? this.exponent() : undefined;
    if (exponent?.includes("-")) throw unreadable;
    let argument = this.power();
    const isEnclosed = /^\(/.test(argument);
    while (!isEnclosed && this.startsFactor() && !functions.has(this.tokens[this.at]!.text))
      argument += `*${this.power()}`;
    const value = base === undefined ? `${functions.get(name)!}(${argument})` : `(log(${argument})/log(${base}))`;
    return exponent === undefined ? value : `(${value})^(${exponent})`;
  }

  private argument(): string {
    if (++this.depth > deepest) throw unreadable;
    const argument = this.atom();
    this.depth--;
    return argument;
  }

  private isSign(...signs: string[]): boolean {
    const next = this.tokens[this.at];
    return next?.kind === "sign" && signs.includes(next.text);
  }

  private skip(sign: string): boolean {
    if (!this.isSign(sign)) return false;
    this.at++;
    return true;
  }

  private expect(text: string): void {
    if (this.tokens[this.at++]?.text !== text) throw unreadable;
  }
}

function factorial(base: string): string {
  if (!/^\d+$/.test(base) || Number(base) > largestFactorial) throw unreadable;
  return String(rangeProduct(1n, BigInt(base)));
}

function binomial(n: string, k: string): string {
  const [top, bottom] = [n, k].map((text) => text.replace(/^\((\d+)\)$/, "$1"));
  if (!/^\d{1,3}$/.test(top!) || !/^\d{1,3}$/.test(bottom!)) throw unreadable;
  const [m, j] = [BigInt(top!), BigInt(bottom!)];
  return j > m ? "0" : String(rangeProduct(m - j + 1n, m) / rangeProduct(1n, j));
}

function rangeProduct(from: bigint, to: bigint): bigint {
  let product = 1n;
  for (let factor = from; factor <= to; factor++) product *= factor;
  return product;
}
