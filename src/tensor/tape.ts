import "@tensorflow/tfjs-layers"; // registers the gradients of TensorFlow.js' own operations
import * as tf from "@tensorflow/tfjs-core";
import { accumulateGradients } from "./accumulate.ts";

/** A finished forward pass whose backward pass can be run later, after results were read. */
export interface Tape<T> {
  /** What `build` returned. Owned by the tape: freed by `dispose`. */
  readonly result: T;
  /**
   * Runs backward from the given gradients of result tensors (or of any tensor recorded). `into` is called once for
   * every trainable variable that they depend on, as soon as its gradient is complete; the gradient is the receiver's
   * to dispose of. Saved tensors are freed on the way. May be called once.
   */
  backward(outputGradients: readonly OutputGradient[], into: GradientReceiver): void;
  /** Frees everything the tape still holds. May be called at any time, and again. */
  dispose(): void;
}

export type OutputGradient = readonly [output: tf.Tensor, gradient: tf.Tensor];
export type GradientReceiver = (variable: tf.Variable, gradient: tf.Tensor) => void;

/** One operation, as TensorFlow.js' engine records it. */
interface TapeNode {
  kernelName: string;
  inputs: Record<string, tf.Tensor>;
  outputs: tf.Tensor[];
  saved?: tf.Tensor[];
  gradient?(dys: (tf.Tensor | undefined)[]): Record<string, () => tf.Tensor>;
}

/** The parts of the engine that its type declarations keep private (TensorFlow.js 4.22). */
interface RecordingEngine {
  startTape(): void;
  endTape(): void;
  state: { activeTape: TapeNode[] | null; gradientDepth: number };
}

/**
 * Runs `build` and records what is needed to go backward from its results later. Nothing else survives: tensors that
 * are neither in the result nor needed by a gradient are freed. `tf.grad` cannot do this, because it must know the
 * output's gradient before the results can be read (reading is asynchronous on a GPU).
 *
 * Gradients flow to every `tf.Variable` with `trainable` true. `build` is synchronous and must not be nested in
 * another recording.
 */
export function recordTape<T extends tf.TensorContainer>(build: () => T): Tape<T> {
  const { result, nodes } = record(build);
  const results = tf.tensor_util.getTensorsInContainer(result).filter((tensor) => !(tensor instanceof tf.Variable));
  let recorded: TapeNode[] | undefined = pruneToVariables(nodes);
  return {
    result,
    backward(outputGradients, into) {
      if (recorded === undefined) throw new Error("backward: the tape was walked or disposed of already");
      const walked = recorded;
      recorded = undefined;
      try {
        walkBackward(walked, outputGradients, into);
      } finally {
        freeSaved(walked);
      }
    },
    dispose() {
      freeSaved(recorded ?? []);
      recorded = undefined;
      tf.dispose(results);
    },
  };
}

function record<T extends tf.TensorContainer>(build: () => T): { result: T; nodes: TapeNode[] } {
  const engine = tf.engine() as unknown as RecordingEngine;
  if (engine.state.gradientDepth > 0) throw new Error("recordTape cannot run inside another recording");
  engine.startTape();
  const nodes = engine.state.activeTape!;
  let finished = false;
  try {
    const result = tf.tidy(() => {
      const built = build();
      tf.tensor_util.getTensorsInContainer(built).forEach((tensor) => tf.keep(tensor));
      return built;
    });
    finished = true;
    return { result, nodes };
  } finally {
    engine.endTape();
    engine.state.activeTape = null;
    if (!finished) freeSaved(nodes);
  }
}

/** The nodes that depend on a trainable variable, each with only the inputs that do. Frees what the others saved. */
function pruneToVariables(nodes: readonly TapeNode[]): TapeNode[] {
  const dependent = new Set<number>();
  const kept: TapeNode[] = [];
  for (const node of nodes) {
    const live = Object.entries(node.inputs).filter(([, input]) => isTrainable(input) || dependent.has(input.id));
    if (live.length === 0) {
      freeSaved([node]);
      continue;
    }
    node.outputs.forEach((output) => dependent.add(output.id));
    kept.push({ ...node, inputs: Object.fromEntries(live) });
  }
  return kept;
}

function walkBackward(nodes: readonly TapeNode[], outputGradients: readonly OutputGradient[], into: GradientReceiver) {
  const gradients = accumulateGradients(outputGradients);
  const reached = nodesLeadingTo(nodes, outputGradients);
  const usesLeft = new Map<number, number>();
  for (const node of reached)
    for (const input of Object.values(node.inputs)) usesLeft.set(input.id, (usesLeft.get(input.id) ?? 0) + 1);
  try {
    for (const node of [...reached].reverse()) {
      const dys = node.outputs.map((output) => gradients.of(output));
      const inputs = Object.values(node.inputs);
      inputGradients(node, dys).forEach((gradient, i) => gradients.add(inputs[i]!, gradient));
      node.outputs.forEach((output) => gradients.free(output));
      freeSaved([node]);
      for (const input of inputs) {
        const left = usesLeft.get(input.id)! - 1;
        usesLeft.set(input.id, left);
        if (left === 0 && isTrainable(input)) into(input, gradients.take(input));
      }
    }
  } finally {
    gradients.freeAll();
  }
}

/** The nodes from which some output with a given gradient can be reached, in recorded order. */
function nodesLeadingTo(nodes: readonly TapeNode[], outputGradients: readonly OutputGradient[]): TapeNode[] {
  const wanted = new Set(outputGradients.map(([output]) => output.id));
  const leading = nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => wanted.has(output.id))) return false;
    Object.values(node.inputs).forEach((input) => wanted.add(input.id));
    return true;
  });
  return leading.reverse();
}

/** Gradients of the node's inputs, in their order: new tensors that nothing else owns. */
function inputGradients(node: TapeNode, dys: (tf.Tensor | undefined)[]): tf.Tensor[] {
  const { gradient } = node;
  if (gradient === undefined) throw new Error(`${node.kernelName} has no gradient`);
  return tf.tidy(() => {
    const byName = gradient(dys);
    const taken = new Set<tf.Tensor | undefined>(dys);
    return Object.entries(node.inputs).map(([name, input]) => {
      const found = byName[name]?.();
      if (found === undefined) throw new Error(`${node.kernelName} has no gradient for its input ${name}`);
      if (found.dtype !== "float32" || found.shape.join() !== input.shape.join())
        throw new Error(`${node.kernelName}: gradient of ${name} is ${found.dtype} [${found.shape.join(", ")}]`);
      // A gradient function may hand back dy itself, or one tensor for two inputs.
      const own = taken.has(found) ? tf.clone(found) : found;
      taken.add(own);
      return tf.keep(own);
    });
  });
}

function freeSaved(nodes: readonly TapeNode[]): void {
  for (const node of nodes) node.saved?.forEach((tensor) => tensor.dispose());
}

function isTrainable(tensor: tf.Tensor): tensor is tf.Variable {
  return tensor instanceof tf.Variable && tensor.trainable;
}
