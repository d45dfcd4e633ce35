import { call } from "./arguments.ts";
import { attribute, item, slice } from "./attributes.ts";
import type { Budget } from "./budget.ts";
import { checkSize } from "./limits.ts";
import { applyFilter } from "./filters.ts";
import {
  callable,
  float,
  integer,
  isAttributes,
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
import { attributeName, globals, keyOf, loopAttributes } from "./globals.ts";
import { operate } from "./operators.ts";
import type { Node } from "./parse.ts";
import { text } from "./print.ts";
import { runTest } from "./tests.ts";

/** The variables of a block, and of those around it. */
interface Scope {
  readonly variables: Map<string, Value>;
  readonly outer: Scope | undefined;
}

class LoopControl extends Error {
  readonly type: string;
  constructor(type: string) {
    super(`{% ${type.toLowerCase()} %} stands outside of a loop`);
    this.type = type;
  }
}

const inner = (outer: Scope | undefined): Scope => ({ variables: new Map(), outer });

function lookUp(scope: Scope, name: string): Value {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    if (at.variables.has(name)) return at.variables.get(name);
  }
  return undefined;
}

/**
 * Runs a parsed template with the values, the printing and the scopes of Python's Jinja as transformers sets it up: a
 * sandbox in which nothing can be changed but namespaces.
 *
 * @throws Error with the reason if it fails, TemplateTooCostly if it exceeds the budget
 */
export function runJinja(program: Node, variables: ReadonlyMap<string, Value>, budget: Budget): string {
  let written: string[] = [];
  let length = 0;

  const write = (part: string): void => {
    budget.spend(part.length / 32);
    checkSize((length += part.length));
    written.push(part);
  };
  /** What a part of the template writes. */
  const captured = (run: () => void): string => {
    const around = written;
    written = [];
    try {
      run();
      return written.join("");
    } finally {
      written = around;
    }
  };

  const printed = (value: Value): string => {
    budget.checkPrinted(value);
    return text(value);
  };

  const runBlock = (nodes: unknown, scope: Scope): void => {
    for (const node of nodes as readonly Node[]) runStatement(node, scope);
  };

  const statements: Record<string, (node: Node, scope: Scope) => void> = {
    Comment: () => undefined,
    Set: assign,
    If: (node, scope) => runBlock(truth(evaluate(node.test, scope)) ? node.body : node.alternate, scope),
    For: loop,
    Macro: (node, scope) =>
      scope.variables.set((node.name as Node).value as string, macro(node.args, node.body, scope)),
    CallStatement: (node, scope) => {
      const { callee, args } = node.call as unknown as { callee: Node; args: unknown };
      const given = evaluateArguments(args, scope);
      const caller = macro(node.callerArgs ?? [], node.body, scope);
      write(text(call(evaluate(callee, scope), { ...given, named: new Map([...given.named, ["caller", caller]]) })));
    },
    FilterStatement: (node, scope) =>
      write(
        text(
          filter(
            captured(() => runBlock(node.body, inner(scope))),
            node.filter as Node,
            scope,
          ),
        ),
      ),
    Break: () => {
      throw new LoopControl("Break");
    },
    Continue: () => {
      throw new LoopControl("Continue");
    },
  };

  function runStatement(node: Node, scope: Scope): void {
    budget.spend(1);
    const statement = statements[node.type];
    if (statement !== undefined) statement(node, scope);
    else write(printed(evaluate(node, scope)));
  }

  function assign({ assignee, value, body }: Node, scope: Scope): void {
    const assigned = value ? evaluate(value, scope) : captured(() => runBlock(body, inner(scope)));
    const target = assignee as Node;
    if (target.type !== "MemberExpression") return unpack(target, assigned, scope);
    const object = evaluate(target.object, scope);
    if (!isAttributes(object) || object.kind !== "namespace" || target.computed)
      throw new Error("only a namespace can be given attributes");
    object.entries.set(attributeName((target.property as Node).value as string), assigned);
  }

  function unpack(target: Node, value: Value, scope: Scope): void {
    if (target.type === "Identifier") return void scope.variables.set(target.value as string, value);
    if (target.type !== "TupleLiteral") throw new Error("a name was expected where a value is assigned");
    const [names, items] = [target.value as readonly Node[], iterate(value)];
    if (names.length !== items.length)
      throw new Error(`${items.length} values cannot be unpacked to ${names.length} names`);
    names.forEach((name, i) => unpack(name, items[i], scope));
  }

  function loop({ loopvar, iterable, body, defaultBlock }: Node, scope: Scope): void {
    const source = iterable as Node;
    const condition = source.type === "SelectExpression" ? source.test : undefined;
    const all = iterate(evaluate(condition === undefined ? source : source.lhs, scope));
    budget.checkLoop(all.length);
    const items =
      condition === undefined
        ? all
        : all.filter((each) => {
            const own = inner(scope);
            unpack(loopvar as Node, each, own);
            return truth(evaluate(condition, own));
          });
    const remembered: { last?: readonly Value[] } = {};
    for (let i = 0; i < items.length; i++) {
      const own = inner(scope);
      own.variables.set("loop", loopAttributes(items, i, remembered));
      unpack(loopvar as Node, items[i], own);
      try {
        runBlock(body, own);
      } catch (thrown) {
        if (!(thrown instanceof LoopControl)) throw thrown;
        if (thrown.type === "Break") break;
      }
    }
    if (items.length === 0) runBlock(defaultBlock, inner(scope));
  }

  function macro(parameters: unknown, body: unknown, scope: Scope): Value {
    const declared = (parameters as readonly Node[]).map((node) => ({
      name: (node.type === "Identifier" ? node.value : (node.key as Node).value) as string,
      otherwise: node.type === "Identifier" ? undefined : (node.value as Node),
    }));
    return callable(({ positional, named }) => {
      const own = inner(scope);
      const others = new Map(named);
      own.variables.set("caller", others.get("caller"));
      others.delete("caller");
      declared.forEach(({ name, otherwise }, i) => {
        if (i < positional.length && others.has(name)) throw new Error(`a macro got two values for '${name}'`);
        const isGiven = i < positional.length || others.has(name);
        const value = i < positional.length ? positional[i] : others.get(name);
        others.delete(name);
        own.variables.set(name, isGiven || otherwise === undefined ? value : evaluate(otherwise, own));
      });
      const extra = positional.slice(declared.length);
      if (extra.length > 0 && !uses(body, "varargs"))
        throw new Error(`a macro takes not more than ${declared.length} arguments`);
      if (others.size > 0 && !uses(body, "kwargs"))
        throw new Error(`a macro takes no keyword argument '${[...others.keys()][0]}'`);
      own.variables.set("varargs", tuple(extra));
      own.variables.set("kwargs", others);
      return captured(() => runBlock(body, own));
    });
  }

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

  const top: Scope = {
    variables: new Map(),
    outer: { variables: new Map([...globals, ...variables]), outer: undefined },
  };
  return captured(() => runBlock(program.body, top));
}

function isMarkedSafe(node: unknown): boolean {
  const { type, filter } = node as Node & { filter?: Node };
  return type === "FilterExpression" && filter?.value === "safe";
}

/** Whether a part of the tree names a variable. */
function uses(nodes: unknown, name: string): boolean {
  if (Array.isArray(nodes)) return nodes.some((node) => uses(node, name));
  if (nodes instanceof Map) return [...nodes].some((pair) => uses(pair, name));
  if (typeof nodes !== "object" || nodes === null) return false;
  const node = nodes as Node;
  return (node.type === "Identifier" && node.value === name) || Object.values(node).some((part) => uses(part, name));
}
