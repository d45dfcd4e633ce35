import { call } from "./arguments.ts";
import { attribute, item, slice } from "./attributes.ts";
import type { Budget } from "./budget.ts";
import { applyFilter } from "./filters.ts";
import { keyOf } from "./globals.ts";
import { operate } from "./operators.ts";
import { text } from "./print.ts";
import { runTest } from "./tests.ts";
import type { Node } from "./tree.ts";
import {
  float,
  integer,
  isDict,
  isFloat,
  iterate,
  numberOf,
  truth,
  tuple,
  typeName,
  type Arguments,
  type Value,
} from "./values.ts";

/** The variables of a block, and of those around it. */
export interface Scope {
  readonly variables: Map<string, Value>;
  readonly outer: Scope | undefined;
}

/** Computes the expressions of a template. */
export interface Evaluator {
  evaluate(expression: unknown, scope: Scope): Value;
  evaluateArguments(nodes: unknown, scope: Scope): Arguments;
  /** A value after the filter that a node names. */
  filter(value: Value, node: Node, scope: Scope): Value;
  /** What is written of a value. */
  printed(value: Value): string;
}

function lookUp(scope: Scope, name: string): Value {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    if (at.variables.has(name)) return at.variables.get(name);
  }
  return undefined;
}

/** @param budget that every expression counts on */
export function createEvaluator(budget: Budget): Evaluator {
  const printed = (value: Value): string => {
    budget.checkPrinted(value);
    return text(value);
  };

  const expressions: Record<string, (node: Node, scope: Scope) => Value> = {
    IntegerLiteral: (node) => integer(node.value as number),
    FloatLiteral: (node) => float(node.value as number),
    StringLiteral: (node) => node.value as string,
    ArrayLiteral: (node, scope) => (node.value as readonly Node[]).map((each) => evaluate(each, scope)),
    TupleLiteral: (node, scope) => tuple((node.value as readonly Node[]).map((each) => evaluate(each, scope))),
    ObjectLiteral: (node, scope) =>
      new Map(
        [...(node.value as Map<Node, Node>)].map(([key, value]) => [
          keyOf(evaluate(key, scope)),
          evaluate(value, scope),
        ]),
      ),
    Identifier: (node, scope) => lookUp(scope, node.value as string),
    MemberExpression: member,
    CallExpression: (node, scope) => {
      const args = evaluateArguments(node.args, scope);
      return call(evaluate(node.callee, scope), args);
    },
    UnaryExpression: unary,
    BinaryExpression: binary,
    FilterExpression: (node, scope) => filter(evaluate(node.operand, scope), node.filter as Node, scope),
    TestExpression: (node, scope) =>
      runTest((node.test as Node).value as string, evaluate(node.operand, scope), []) !== node.negate,
    SelectExpression: (node, scope) => (truth(evaluate(node.test, scope)) ? evaluate(node.lhs, scope) : undefined),
    Ternary: (node, scope) => evaluate(truth(evaluate(node.condition, scope)) ? node.trueExpr : node.falseExpr, scope),
  };

  function evaluate(expression: unknown, scope: Scope): Value {
    const node = expression as Node | undefined;
    budget.spend(1);
    if (node === undefined) return undefined;
    const kind = expressions[node.type];
    if (kind === undefined) throw new SyntaxError(`${node.type} is not known`);
    const value = kind(node, scope);
    budget.check(value);
    return value;
  }

  function member({ object, property, computed }: Node, scope: Scope): Value {
    const value = evaluate(object, scope);
    const { type, start, stop, step, value: name } = property as Node;
    if (computed && type === "SliceExpression") {
      return slice(
        value,
        [start, stop, step].map((bound) => evaluate(bound, scope)),
      );
    }
    if (computed) return item(value, evaluate(property, scope));
    return type === "IntegerLiteral" ? item(value, name as number) : attribute(value, name as string);
  }

  function unary({ operator, argument }: Node, scope: Scope): Value {
    const value = evaluate(argument, scope);
    const sign = (operator as { value: string }).value;
    if (sign === "not") return !truth(value);
    const number = numberOf(value);
    if (number === undefined) throw new Error(`bad operand type for unary ${sign}: '${typeName(value)}'`);
    const signed = sign === "-" ? -number : number;
    return isFloat(value) ? float(signed) : integer(signed);
  }

  function binary({ operator, left, right }: Node, scope: Scope): Value {
    const name = (operator as { value: string }).value;
    const first = evaluate(left, scope);
    if (name === "and") return truth(first) ? evaluate(right, scope) : first;
    if (name === "or") return truth(first) ? first : evaluate(right, scope);
    const second = evaluate(right, scope);
    if (name === "~") return printed(first) + printed(second);
    if (name === "+" && (isMarkedSafe(left) || isMarkedSafe(right))) {
      throw new Error("'safe' beside '+' is not supported: Python's Jinja escapes HTML there");
    }
    return operate(name, first, second);
  }

  function filter(value: Value, node: Node, scope: Scope): Value {
    const isCall = node.type === "CallExpression";
    const name = (isCall ? (node.callee as Node) : node).value as string;
    const args = isCall ? evaluateArguments(node.args, scope) : { positional: [], named: new Map<string, Value>() };
    if (name === "tojson" || name === "string") budget.checkPrinted(value);
    const test = /^is (not )?(.*)$/s.exec(name);
    return test === null
      ? applyFilter(name, value, args)
      : runTest(test[2]!, value, args.positional) !== (test[1] !== undefined);
  }

  function evaluateArguments(nodes: unknown, scope: Scope): Arguments {
    const positional: Value[] = [];
    const named = new Map<string, Value>();
    const name = (key: string, value: Value): void => {
      if (named.has(key)) throw new Error(`the keyword argument '${key}' is given twice`);
      named.set(key, value);
    };
    for (const node of nodes as readonly Node[]) {
      if (node.type === "SpreadExpression") positional.push(...iterate(evaluate(node.argument, scope)));
      else if (node.type === "KeywordArgumentExpression")
        name((node.key as Node).value as string, evaluate(node.value, scope));
      else if (node.type === "KeywordSpreadExpression") {
        const values = evaluate(node.argument, scope);
        if (!isDict(values)) throw new Error("what follows ** must be a dict");
        for (const [key, value] of values) name(text(key), value);
      } else positional.push(evaluate(node, scope));
    }
    return { positional, named };
  }

  return { evaluate, evaluateArguments, filter, printed };
}

function isMarkedSafe(node: unknown): boolean {
  const { type, filter } = node as Node & { filter?: Node };
  return type === "FilterExpression" && filter?.value === "safe";
}
