import { UserError } from "../system/errors.ts";
import type { GradientStore } from "../model/gradients.ts";
import type { Optimizer } from "./optimizer.ts";

export interface UpdateOptions {
  learningRate: number;
  /** Largest global norm of the gradient; 0 never clips. */
  clipNorm: number;
  /** The step's number, for messages. */
  step: number;
}

/**
 * Clips, and updates.
 * @returns the gradient's norm before clipping
 * @throws UserError for a gradient that is not finite; nothing is updated then
 */
export async function clippedUpdate(
  optimizer: Optimizer,
  gradients: GradientStore,
  { learningRate, clipNorm, step }: UpdateOptions,
): Promise<number> {
  const gradNorm = await gradients.globalNorm();
  if (!Number.isFinite(gradNorm))
    throw new UserError("not-finite", `The gradient of step ${step} is ${gradNorm}.`, {
      fix: "Lower training.learningRate, or clip with a smaller training.clipNorm.",
    });
  const clip = clipNorm > 0 && gradNorm > clipNorm ? clipNorm / gradNorm : 1;
  optimizer.update(gradients, { learningRate, gradientScale: clip });
  return gradNorm;
}
