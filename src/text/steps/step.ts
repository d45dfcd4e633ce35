import { isRecord } from "../../system/is-record.ts";
import { show } from "../tokenizer-json.ts";

/** What `tokenizer.json` says of a step. */
export type Options = Readonly<Record<string, unknown>>;

/** Makes a step; what is `given` is the same for every step of its kind. */
export type Create<Step, Given> = (options: Options, given: Given) => Step;

/**
 * @param types how each type of the kind is made
 * @param kind for the message, such as "decoder"
 * @throws Error for a step that is not known, and what its type throws
 */
export function createStep<Step, Given>(
  step: unknown,
  types: ReadonlyMap<unknown, Create<Step, Given>>,
  kind: string,
  given: Given,
): Step {
  const create = isRecord(step) ? types.get(step.type) : undefined;
  if (create === undefined) throw new Error(`the ${kind} ${show(isRecord(step) ? step.type : step)} is not known`);
  return create(step as Options, given);
}

/** One step that does what several do, in their order. */
export function inOrder<Value>(steps: readonly ((value: Value) => Value)[]): (value: Value) => Value {
  return (value) => steps.reduce((changed, step) => step(changed), value);
}
