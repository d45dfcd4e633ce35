import { isCallable, numberOf, typeName, type Arguments, type Value } from "./values.ts";

/**
 * Values of the parameters of a function of Python, `undefined` for those that the call does not give.
 * @throws Error for an argument that the function does not have
 */
export function bind(args: Arguments, ...names: string[]): Value[] {
  if (args.positional.length > names.length) throw new Error(`it takes at most ${names.length} arguments`);
  const values: Value[] = names.map((_, i) => args.positional[i]);
  for (const [name, value] of args.named) {
    const at = names.indexOf(name);
    if (at < 0) throw new Error(`there is no argument '${name}'`);
    if (at < args.positional.length) throw new Error(`it got multiple values for the argument '${name}'`);
    values[at] = value;
  }
  return values;
}

export function textArgument(value: Value): string {
  if (typeof value === "string") return value;
  throw new Error(`a text was expected, not ${typeName(value)}`);
}

export function integerArgument(value: Value): number {
  if (typeof value === "number" || typeof value === "boolean") return Number(value);
  throw new Error(`a whole number was expected, not ${typeName(value)}`);
}

export function numberArgument(value: Value): number {
  const number = numberOf(value);
  if (number === undefined) throw new Error(`a number was expected, not ${typeName(value)}`);
  return number;
}

export function call(value: Value, args: Arguments): Value {
  if (isCallable(value)) return value.call(args);
  throw new Error(value === undefined ? "what it calls is undefined" : `'${typeName(value)}' object is not callable`);
}
