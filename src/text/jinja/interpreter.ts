import { call } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { createEvaluator, type Scope } from "./expressions.ts";
import { attributeName, globals, loopAttributes } from "./globals.ts";
import { checkSize } from "./limits.ts";
import { text } from "./print.ts";
import { identifiersIn, type Node } from "./tree.ts";
import { callable, isAttributes, iterate, truth, tuple, type Value } from "./values.ts";

class LoopControl extends Error {
  readonly type: string;
  constructor(type: string) {
    super(`{% ${type.toLowerCase()} %} stands outside of a loop`);
    this.type = type;
  }
}

const inner = (outer: Scope | undefined): Scope => ({ variables: new Map(), outer });

/** A template that can be run, once at a time; of variables of one name it reads the one that is named first. */
export type Program = (...variables: readonly Map<string, Value>[]) => string;

/**
 * A parsed template with the values, the printing and the scopes of Python's Jinja as transformers sets it up: a
 * sandbox in which nothing can be changed but namespaces. Each run has all of the budget.
 *
 * @returns what throws an Error with the reason if it fails, TemplateTooCostly if it exceeds the budget
 */
export function prepareJinja(program: Node, budget: Budget): Program {
  let written: string[] = [];
  let length = 0;
  /** Names of the variables in the bodies of macros and loops that were looked through. */
  const variablesOf = new Map<unknown, ReadonlySet<string>>();
  const mentions = (body: unknown, name: string): boolean => {
    if (!variablesOf.has(body)) variablesOf.set(body, identifiersIn(body));
    return variablesOf.get(body)!.has(name);
  };
  const { evaluate, evaluateArguments, filter, printed } = createEvaluator(budget);

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
    const asks = mentions(body, "loop");
    for (let i = 0; i < items.length; i++) {
      const own = inner(scope);
      if (asks) own.variables.set("loop", loopAttributes(items, i, remembered));
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
    budget.spend(declared.length);
    const uses = (name: string): boolean => mentions(body, name);
    return callable(({ positional, named }) => {
      budget.spend(declared.length);
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
      if (extra.length > 0 && !uses("varargs"))
        throw new Error(`a macro takes not more than ${declared.length} arguments`);
      if (others.size > 0 && !uses("kwargs"))
        throw new Error(`a macro takes no keyword argument '${[...others.keys()][0]}'`);
      own.variables.set("varargs", tuple(extra));
      own.variables.set("kwargs", others);
      return captured(() => runBlock(body, own));
    });
  }

  return (...variables) => {
    budget.restart();
    length = 0;
    let outer: Scope = { variables: known, outer: undefined };
    for (const each of variables.toReversed()) outer = { variables: each, outer };
    return captured(() => runBlock(program.body, inner(outer)));
  };
}

const known = new Map(globals);
