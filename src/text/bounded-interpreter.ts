import { Environment as LibraryEnvironment, Interpreter as LibraryInterpreter } from "@huggingface/jinja";

/** What is used of the library's interpreter; its own declarations do not resolve outside a bundler. */
interface Value {
  type: string;
  value: unknown;
}
interface Environment {
  set(name: string, value: unknown): Value;
}
interface Interpreter {
  run(program: unknown): Value;
  evaluate(statement: unknown, environment: Environment): Value;
}
const Environment = LibraryEnvironment as new () => Environment;
const Interpreter = LibraryInterpreter as new (environment: Environment) => Interpreter;

/** Far more than a long conversation takes. */
export const mostSteps = 2_000_000;
const largestValue = 8_000_000; // characters and items
const largestRange = 100_000;
const loopItemCost = 4;
const widestIndent = 64;

/** Why a template was stopped. */
export class TemplateTooCostly extends Error {}

/**
 * Runs a template within limits that do not depend on the machine: steps (with the items of loops and the length of
 * texts counted), and the size of a value written out. No chat template comes near them; one that was made to hang or
 * to fill the memory is stopped within seconds.
 */
export class BoundedInterpreter extends Interpreter {
  private steps = 0;
  private readonly sizes = new WeakMap<object, number>();
  private readonly loopSources = new Set<unknown>();
  private readonly definitionCost: number;
  private readonly limit: number;

  /**
   * @param templateLength characters of the template
   * @param limit of steps
   */
  constructor(variables: Readonly<Record<string, unknown>>, templateLength: number, limit: number) {
    const environment = new Environment();
    super(environment);
    this.definitionCost = templateLength / 8;
    this.limit = limit;
    const constants = { true: true, false: false, none: null, True: true, False: false, None: null };
    const range = (...limits: number[]): number[] => this.range(limits);
    for (const [name, value] of Object.entries({ ...constants, range, ...variables })) environment.set(name, value);
  }

  override evaluate(statement: unknown, environment: Environment): Value {
    const node = statement as { type?: string; iterable?: { type: string; lhs?: unknown } } | undefined;
    this.spend(1);
    if (node?.type === "For") this.loopSources.add(node.iterable?.lhs ?? node.iterable);
    if (node?.type === "Macro" || node?.type === "CallStatement") this.spend(this.definitionCost);
    if (node?.type === "FilterExpression") this.checkIndent(statement, environment);
    const value = super.evaluate(statement, environment);
    this.check(value, this.loopSources.has(statement));
    return value;
  }

  private spend(steps: number): void {
    this.steps += steps;
    if (this.steps > this.limit) throw new TemplateTooCostly("it takes too many steps");
  }

  private check(value: Value, isLooped: boolean): void {
    if (value === undefined) return;
    if (value.type === "UndefinedValue") return this.spend(20);
    if (typeof value.value === "string") this.spend(value.value.length / 32);
    else if (Array.isArray(value.value)) this.spend(value.value.length * (isLooped ? loopItemCost : 1 / 8));
    else if (value.value instanceof Map) this.spend(value.value.size * (isLooped ? loopItemCost : 1 / 8));
    else return;
    if (this.sizeOf(value, 0) > largestValue) throw new TemplateTooCostly("a value in it grows too large");
  }

  /** Characters and items of a value written out, those it holds several times counted as often. */
  private sizeOf(value: Value, depth: number): number {
    if (typeof value.value === "string") return value.value.length + 1;
    const items = Array.isArray(value.value) ? value.value : value.value instanceof Map ? value.value.values() : [];
    const known = this.sizes.get(value);
    if (known !== undefined) return known;
    if (depth > 0 && value.type === "NamespaceValue") throw new TemplateTooCostly("it nests namespaces");
    let size = 1;
    for (const item of items) size += this.sizeOf(item, depth + 1);
    if (Array.isArray(value.value)) this.spend(value.value.length);
    if (value.type !== "NamespaceValue" && typeof value.value === "object" && value.value) this.sizes.set(value, size);
    return size;
  }

  private range(limits: readonly number[]): number[] {
    const [start, stop, step] = limits.length === 1 ? [0, limits[0]!, 1] : [limits[0]!, limits[1]!, limits[2] ?? 1];
    const length = Math.max(0, Math.ceil((stop - start) / step));
    if (!Number.isFinite(length)) throw new Error("range() needs numbers and a step that is not 0");
    if (length > largestRange) throw new TemplateTooCostly(`it asks for a range of ${length} numbers`);
    return Array.from({ length }, (_, i) => start + i * step);
  }

  private checkIndent(statement: unknown, environment: Environment): void {
    const { filter } = statement as unknown as FilterNode;
    if (filter.type !== "CallExpression" || !["indent", "tojson"].includes(filter.callee?.value ?? "")) return;
    for (const argument of filter.args ?? []) {
      const isNamed = argument.type === "KeywordArgumentExpression";
      const width = this.evaluate(isNamed ? argument.value : argument, environment).value;
      if (typeof width === "number" && width > widestIndent) throw new TemplateTooCostly("it indents too far");
    }
  }
}

interface FilterNode {
  filter: { type: string; callee?: { value?: string }; args?: { type: string; value?: unknown }[] };
}
