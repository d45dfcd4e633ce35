import { expect } from "@jest/globals";
import * as tf from "@tensorflow/tfjs-core";
import { stream } from "../../src/system/random.ts";
import { recordTape } from "../../src/tensor/tape.ts";

export type Numbers = Record<string, Float32Array>;

/** Every value agrees to `relative` of the largest expected one of its name (or of `magnitude`), and none is missing. */
export function expectClose(
  actual: Numbers,
  expected: Record<string, ArrayLike<number>>,
  relative = 1e-5,
  magnitude = 0.1,
): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) {
    const found = actual[name]!;
    expect([name, found.length]).toEqual([name, values.length]);
    const largest = Array.from(values).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const allowed = relative * Math.max(largest, magnitude);
    const wrong = Array.from(values).findIndex((value, i) => !(Math.abs(found[i]! - value) <= allowed));
    if (wrong >= 0) throw new Error(`${name}[${wrong}] is ${found[wrong]}, expected ${values[wrong]} +- ${allowed}`);
  }
}

/**
 * The outputs of an operation and the gradients (`d` + name) of its inputs, read asynchronously as on a GPU.
 * @param build from variables to outputs by name
 * @param dy gradient of the output named `output`
 */
export async function valuesAndGradients(
  inputs: Record<string, tf.Tensor>,
  dy: tf.Tensor,
  build: (inputs: Record<string, tf.Variable>) => Record<string, tf.Tensor>,
): Promise<Numbers> {
  const variables = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tf.variable(tensor)]));
  const tape = recordTape(() => build(variables));
  const results = await read(tape.result);
  const gradients: Record<string, tf.Tensor> = {};
  tape.backward([[tape.result.output!, dy]], (variable, gradient) => {
    const name = Object.keys(variables).find((name) => variables[name] === variable)!;
    gradients[`d${name}`] = gradient;
  });
  tape.dispose();
  Object.assign(results, await read(gradients));
  tf.dispose([variables, gradients]);
  return results;
}

export async function read(tensors: Record<string, tf.Tensor>): Promise<Numbers> {
  const numbers: Numbers = {};
  // copied: what an engine hands out may be a view on memory that it uses again
  for (const [name, tensor] of Object.entries(tensors)) numbers[name] = Float32Array.from(await tensor.data());
  return numbers;
}

/** Standard normal numbers that depend on the name alone. */
export function normal(name: string, length: number): Float32Array {
  const source = stream("conformance", name);
  return Float32Array.from({ length }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - source.next()));
    return radius * Math.cos(2 * Math.PI * source.next());
  });
}

/** Integers below `limit` that depend on the name alone. */
export function integers(name: string, length: number, limit: number): Int32Array {
  const source = stream("conformance", name);
  return Int32Array.from({ length }, () => source.below(limit));
}
