import { linesOf, sizeOf } from "../fast/kernel.ts";
import type { FusedKernel } from "./kernel.ts";
import { writable } from "./kernel.ts";

export const adamw: FusedKernel<"TokensiftAdamW"> = ({ parameter, gradient, m, v }, settings, backend) => {
  const { learningRate, beta1, beta2, epsilon, weightDecay, step, gradientScale } = settings;
  const [p, first, second] = [parameter, m, v].map((variable) => {
    backend.moveNear(variable, backend.placeOf(parameter));
    return writable(backend, variable);
  });
  const places = [p!, backend.placeOf(gradient), first!, second!];
  const rate = learningRate / (1 - beta1 ** step);
  const spread = Math.sqrt(1 - beta2 ** step);
  const keep = 1 - learningRate * weightDecay;
  const factors = [gradientScale, beta1, 1 - beta1, beta2, 1 - beta2, rate, spread, epsilon, keep];
  backend.machine.run("adamw", linesOf(sizeOf(parameter)), 128, ...places, ...factors);
  return [];
};

/** Elements whose squares the kernel adds up at a time. */
const BLOCK = 4096;

export const sumOfSquares: FusedKernel<"TokensiftSumOfSquares"> = ({ x }, _attrs, backend) => {
  const { machine } = backend;
  const blocks = Math.ceil(sizeOf(x) / BLOCK);
  const out = backend.empty([]);
  machine.withScratch(blocks * 8, (sums) => {
    machine.run("squareSums", blocks, BLOCK, backend.placeOf(x), sizeOf(x), sums);
    const partial = machine.arena.float64(sums, blocks);
    backend.valuesOf(out)[0] = partial.reduce((a, b) => a + b, 0);
  });
  return [out];
};
