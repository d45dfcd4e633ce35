import type * as Maths from "mathjs";
import type { MathNode } from "mathjs";
import type { MessagePort } from "node:worker_threads";

/** Two expressions made by `formula`. */
export interface Comparison {
  readonly left: string;
  readonly right: string;
  /** Largest relative difference of two values that count as equal. */
  readonly tolerance: number;
  /** Equal up to a constant factor, as the two sides of equations are. */
  readonly proportional: boolean;
}

/** Of the library as one file. */
interface Library {
  create(config: Maths.ConfigOptions): Maths.MathJsInstance;
}

/** `unknown`: an expression has no finite value, or cannot be read. */
export type Equality = "equal" | "different" | "unknown";

/**
 * The life of the thread that compares expressions. The text of this function is what the thread is started from: it
 * must not use anything from outside.
 *
 * Only node types, operators and functions on the lists below are evaluated, whatever the library can do. Expressions
 * without variables and functions are compared as exact fractions, others by their complex values at 24 points that are
 * the same every time. Points where a side has no finite value do not count; roots and logarithms of negative numbers
 * have none, unless there would be too few points: `sqrt(1/n)` is `1/sqrt(n)`, and `sqrt(-4)` is `2i`.
 */
export function threadMain({ create }: Library, port: MessagePort): void {
  const POINTS = 24;
  const LEAST_POINTS = 3;
  const RELATIVE_ERROR = 1e-9;
  const ABSOLUTE_ERROR = 1e-14;
  const MOST_BITS = 2 ** 17;
  const operators = new Set(["add", "subtract", "multiply", "divide", "pow", "unaryMinus", "unaryPlus"]);
  const functions = new Set(
    "sqrt abs floor ceil exp log log10 sin cos tan cot sec csc asin acos atan sinh cosh tanh".split(" "),
  );
  const constants = new Set(["pi", "e", "i"]);
  const exact = create({ number: "Fraction" });
  const real = create({ number: "number", predictable: true });
  const complex = create({ number: "number" });

  interface Complex {
    re: number;
    im: number;
  }

  /** The names of the variables. Throws for anything that is not on the lists. */
  function check(node: MathNode): Set<string> {
    const names = new Set<string>();
    node.traverse((inner, path, parent) => {
      const { type } = inner as { type: string };
      const { name, fn } = inner as unknown as { name?: string; fn: string & { name?: string } };
      const isCalled = path === "fn" && (parent as { type?: string } | null)?.type === "FunctionNode";
      const isAllowed =
        type === "ParenthesisNode" ||
        type === "ConstantNode" ||
        (type === "OperatorNode" && operators.has(fn)) ||
        (type === "FunctionNode" && functions.has(fn.name ?? "")) ||
        (type === "SymbolNode" && (isCalled || constants.has(name!) || name!.startsWith("v_")));
      if (!isAllowed) throw new Error(`not allowed: ${type}`);
      if (type === "SymbolNode" && !isCalled) names.add(name!);
    });
    return names;
  }

  /**
   * An upper bound of the bits of the exact value of sums, products, quotients and powers with a written exponent;
   * infinite for all else. A number too large for the heap would end the process, not the thread alone.
   */
  function exactBits(node: MathNode): number {
    const { type, fn, args, content, value } = node as unknown as {
      type: string;
      fn?: string;
      args?: MathNode[];
      content?: MathNode;
      value?: unknown;
    };
    if (type === "ParenthesisNode") return exactBits(content!);
    if (type === "ConstantNode") {
      const size = Math.abs(Number(value));
      return Number.isInteger(size) ? Math.log2(size + 1) + 1 : Math.abs(Math.log2(size)) + 4 * String(value).length;
    }
    if (type !== "OperatorNode") return Infinity;
    if (fn !== "pow") return args!.reduce((sum, arg) => sum + exactBits(arg), 1);
    const exponent = Number(args![1]!.toString().replace(/[()\s]/g, "") || NaN);
    return Number.isInteger(exponent) ? exactBits(args![0]!) * Math.max(1, Math.abs(exponent)) : Infinity;
  }

  function exactValue(text: string): Maths.Fraction | undefined {
    try {
      const value: unknown = exact.parse(text).compile().evaluate(new Map());
      return exact.typeOf(value) === "Fraction" ? (value as Maths.Fraction) : undefined;
    } catch {
      return undefined;
    }
  }

  function complexOf(value: unknown): Complex {
    if (typeof value === "number") return { re: value, im: 0 };
    const { re, im } = value as Partial<Complex>;
    return { re: re ?? NaN, im: im ?? NaN };
  }

  const isFinite = ({ re, im }: Complex): boolean => Number.isFinite(re) && Number.isFinite(im);

  function near(a: Complex, b: Complex, tolerance: number): boolean {
    const size = Math.max(Math.hypot(a.re, a.im), Math.hypot(b.re, b.im));
    return Math.hypot(a.re - b.re, a.im - b.im) <= Math.max(tolerance * size, ABSOLUTE_ERROR);
  }

  const times = (a: Complex, b: Complex): Complex => ({
    re: a.re * b.re - a.im * b.im,
    im: a.re * b.im + a.im * b.re,
  });

  /** Values of both sides at the points where both are finite. */
  function values(sides: readonly MathNode[], names: readonly string[]): [Complex, Complex][] {
    const codes = sides.map((side) => side.compile());
    let state = 0x9e3779b9;
    const uniform = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const found: [Complex, Complex][] = [];
    for (let point = 0; point < (names.length === 0 ? 1 : POINTS); point++) {
      const scope = new Map<string, number>();
      // At half of the points all variables are positive, so that roots and logarithms have many real values.
      for (const name of names) {
        const size = 0.05 + (point % 4 < 2 ? 0.9 : 2.6) * uniform();
        scope.set(name, point % 2 === 1 && uniform() < 0.6 ? -size : size);
      }
      const [a, b] = codes.map((code) => complexOf(code.evaluate(scope)));
      if (isFinite(a!) && isFinite(b!)) found.push([a!, b!]);
    }
    return found;
  }

  function sameUpToFactor(found: readonly [Complex, Complex][]): boolean {
    const pair = found.find((sides) => sides.every(({ re, im }) => Math.hypot(re, im) > RELATIVE_ERROR));
    return !!pair && found.every(([a, b]) => near(times(a, pair[1]), times(b, pair[0]), RELATIVE_ERROR));
  }

  function compare({ left, right, tolerance, proportional }: Comparison): Equality {
    const nodes = [real.parse(left), real.parse(right)];
    const names = [...new Set(nodes.flatMap((node) => [...check(node)]))].filter((name) => !constants.has(name));
    if (!proportional && nodes.every((node) => exactBits(node) <= MOST_BITS)) {
      const [a, b] = [exactValue(left), exactValue(right)];
      if (a && b && exact.equal(a, b)) return "equal";
      if (a && b && tolerance === 0) return "different";
    }
    const least = names.length === 0 ? 1 : LEAST_POINTS;
    let found = values(nodes, names);
    if (found.length < least) found = values([complex.parse(left), complex.parse(right)], names);
    if (found.length < least) return "unknown";
    const agree = proportional
      ? sameUpToFactor(found)
      : found.every(([a, b]) => near(a, b, tolerance || RELATIVE_ERROR));
    return agree ? "equal" : "different";
  }

  // The library prepares an operation when it is first used, which must not count as time of a comparison.
  compare({ left: "-2/v_x+3*v_x", right: "sqrt(v_x^2)-i", tolerance: 0, proportional: false });
  compare({ left: "2^3/4-1", right: "1", tolerance: 0, proportional: false });
  port.on("message", (comparisons: Comparison[]) => {
    port.postMessage(
      comparisons.map((comparison) => {
        try {
          return compare(comparison);
        } catch {
          return "unknown";
        }
      }),
    );
  });
  port.postMessage("ready");
}
