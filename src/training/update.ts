import { UserError } from "../system/errors.ts";
import type { GradientStore } from "../model/gradients.ts";
import type { Optimizer } from "./optimizer.ts";

export interface UpdateOptions {
  learningRate: number;
  /** Largest global norm of the gradient; 0 never clips. */
  clipNorm: number;
  /** The step's number, for messages. */
  step: number;
  /** Called in place of an error where the gradient is not finite; the update is then left out. */
  onNotFinite?: ((found: NotFiniteGradient) => Promise<void>) | undefined;
}

/** A gradient that cannot be used. */
export interface NotFiniteGradient {
  readonly norm: number;
  /** The tensor in which it began: that of the last of the layers concerned. */
  readonly tensor?: BadTensor | undefined;
  /** Where it was so before any layer: the loss's own gradient on what a pass gave. */
  readonly signal?: BadSignal;
}

/** A number of the loss's gradient that is not finite. */
export interface BadSignal {
  /** `logProb`, `score`, ... */
  readonly name: string;
  /** Row of the data, and place in it. */
  readonly row: number;
  readonly token: number;
  readonly value: number;
}

/** What is wrong with the gradient of one tensor. */
export interface BadTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** How many of its numbers are not finite; 0 where they are only too large to be squared. */
  readonly notFinite: number;
  /** Where the first of them is, row-major, and which it is; of numbers that are too large the largest. */
  readonly place: number;
  readonly value: number;
}

/**
 * Clips, and updates.
 * @returns the gradient's norm before clipping, not finite where the update was left out
 * @throws UserError for a gradient that is not finite, unless there is somebody to be told; nothing is updated then
 */
export async function clippedUpdate(
  optimizer: Optimizer,
  gradients: GradientStore,
  { learningRate, clipNorm, step, onNotFinite }: UpdateOptions,
): Promise<number> {
  const gradNorm = await gradients.globalNorm();
  if (!Number.isFinite(gradNorm)) {
    const found = { norm: gradNorm, tensor: await badTensorOf(optimizer, gradients) };
    if (onNotFinite === undefined)
      throw new UserError("not-finite", `The gradient of step ${step} is ${gradientText(found)}.`, {
        fix: "Lower training.learningRate, or clip with a smaller training.clipNorm.",
      });
    await onNotFinite(found);
    optimizer.skipped = (optimizer.skipped ?? 0) + 1;
    return gradNorm;
  }
  const clip = clipNorm > 0 && gradNorm > clipNorm ? clipNorm / gradNorm : 1;
  optimizer.update(gradients, { learningRate, gradientScale: clip });
  return gradNorm;
}

/** What is wrong with a gradient, as the end of a sentence that it begins. */
export function gradientText({ norm, tensor, signal }: NotFiniteGradient): string {
  if (signal !== undefined)
    return `${norm}: that on ${signal.name} (row ${signal.row}, token ${signal.token}) is ${signal.value}`;
  return `${norm}${tensor === undefined ? "" : tensorText(tensor)}`;
}

function tensorText(tensor: BadTensor): string {
  const { name, shape, notFinite, place, value } = tensor;
  if (notFinite === 0) return `: that of ${name} is too large to be squared (${value} at ${place})`;
  const size = shape.reduce((a, b) => a * b, 1);
  return `: in that of ${name} ${notFinite} of ${size} numbers are not finite (the first is ${value}, at ${place})`;
}

async function badTensorOf(optimizer: Optimizer, gradients: GradientStore): Promise<BadTensor | undefined> {
  const variable = await gradients.firstNotFinite();
  if (variable === undefined) return undefined;
  const values = await gradients.get(variable)!.data<"float32">();
  const name = optimizer.parameters?.find((parameter) => parameter.variable === variable)?.name ?? variable.name;
  const notFinite = values.reduce((count, value) => count + Number(!Number.isFinite(value)), 0);
  const place =
    notFinite > 0
      ? values.findIndex((value) => !Number.isFinite(value))
      : values.reduce((largest, value, i) => (Math.abs(value) > Math.abs(values[largest]!) ? i : largest), 0);
  return { name, shape: variable.shape, notFinite, place, value: values[place]! };
}
