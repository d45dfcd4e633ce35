import { linesOf, product, zeros } from "../fast/kernel.ts";
import type { FusedKernel } from "./kernel.ts";
import { withHostArrays } from "./kernel.ts";

export const embed: FusedKernel<"TokensiftEmbed"> = ({ table }, { ids }, backend) => {
  const width = table.shape[1];
  const out = backend.empty([ids.length, width]);
  withHostArrays(backend, [ids], (at) => {
    backend.machine.run("gatherRows", ids.length, 2 * width, backend.offsetOf(table), at, out.offset, width);
  });
  return [out];
};

export const embedGradient: FusedKernel<"TokensiftEmbedGrad"> = ({ dy }, { ids, vocabulary }, backend) => {
  const width = dy.shape[1];
  const out = zeros(backend, [vocabulary, width]);
  withHostArrays(backend, [ids], (at) => {
    backend.machine.run("addRows", width, 3 * ids.length, backend.offsetOf(dy), at, out.offset, ids.length, width);
  });
  return [out];
};

export const rmsNorm: FusedKernel<"TokensiftRmsNorm"> = ({ x, gain }, { epsilon }, backend) => {
  const [rows, width] = x.shape;
  const [out, rstd] = [backend.empty(x.shape), backend.empty([rows])];
  const places = [backend.offsetOf(x), backend.offsetOf(gain), out.offset, rstd.offset];
  backend.machine.run("rmsNorm", rows, 3 * width, ...places, width, epsilon);
  return [out, rstd];
};

/** Rows of which one partial sum of the gain's gradient is made: fixed, so that threads do not change the sum. */
const GAIN_BLOCK = 64;

export const rmsNormGradient: FusedKernel<"TokensiftRmsNormGrad"> = ({ x, gain, rstd, dy }, _attrs, backend) => {
  const [rows, width] = x.shape;
  const [dx, dGain] = [backend.empty(x.shape), backend.empty([width])];
  const [px, pg, ps, pd] = [x, gain, rstd, dy].map((tensor) => backend.offsetOf(tensor));
  const blocks = Math.ceil(rows / GAIN_BLOCK);
  const { machine } = backend;
  machine.withScratch(blocks * width * 4, (partial) => {
    const places = [px!, pg!, ps!, pd!, dx.offset, partial];
    machine.run("rmsNormGradient", blocks, 5 * GAIN_BLOCK * width, ...places, width, rows, GAIN_BLOCK);
    machine.run("sumColumns", width, blocks, partial, dGain.offset, blocks, width, 1);
  });
  return [dx, dGain];
};

export const rotary: FusedKernel<"TokensiftRotary"> = ({ x, cos, sin }, { heads, sign }, backend) => {
  const out = backend.empty(x.shape);
  const places = [backend.offsetOf(x), backend.offsetOf(cos), backend.offsetOf(sin), out.offset];
  backend.machine.run("rotary", x.shape[0], 3 * x.shape[1], ...places, heads, cos.shape[1], sign);
  return [out];
};

export const swiglu: FusedKernel<"TokensiftSwiglu"> = ({ gate, up }, _attrs, backend) => {
  const out = backend.empty(gate.shape);
  const lines = linesOf(product(gate.shape));
  backend.machine.run("swiglu", lines, 160, backend.offsetOf(gate), backend.offsetOf(up), out.offset);
  return [out];
};

export const swigluGradient: FusedKernel<"TokensiftSwigluGrad"> = ({ gate, up, dy }, _attrs, backend) => {
  const [dGate, dUp] = [backend.empty(gate.shape), backend.empty(gate.shape)];
  const places = [backend.offsetOf(gate), backend.offsetOf(up), backend.offsetOf(dy), dGate.offset, dUp.offset];
  backend.machine.run("swigluGradient", linesOf(product(gate.shape)), 200, ...places);
  return [dGate, dUp];
};
