import { linesOf, product, zeros } from "../fast/kernel.ts";
import { gatherStored } from "../stored.ts";
import type { FusedKernel } from "./kernel.ts";
import { withHostArrays } from "./kernel.ts";

export const embed: FusedKernel<"TokensiftEmbed"> = ({ table }, { ids }, backend) => {
  const width = table.shape[1];
  const out = backend.empty([ids.length, width]);
  withHostArrays(backend, [ids], (at) => {
    backend.machine.run("gatherRows", ids.length, 2 * width, backend.placeOf(table), at, out.place, width);
  });
  return [out];
};

export const storedEmbed: FusedKernel<"TokensiftStoredEmbed"> = (_inputs, { table, ids }, backend) => {
  const out = backend.empty([ids.length, table.shape[1]]);
  withHostArrays(backend, [ids], (at) => gatherStored(backend.machine, table, at, ids.length, out.place));
  return [out];
};

export const embedGradient: FusedKernel<"TokensiftEmbedGrad"> = ({ dy }, { ids, vocabulary }, backend) => {
  const width = dy.shape[1];
  const out = zeros(backend, [vocabulary, width]);
  withHostArrays(backend, [ids], (at) => {
    backend.machine.run("addRows", width, 3 * ids.length, backend.placeOf(dy), at, out.place, ids.length, width);
  });
  return [out];
};

export const rmsNorm: FusedKernel<"TokensiftRmsNorm"> = ({ x, gain }, { epsilon }, backend) => {
  const [rows, width] = x.shape;
  const [out, rstd] = [backend.empty(x.shape), backend.empty([rows])];
  const places = [backend.placeOf(x), backend.placeOf(gain), out.place, rstd.place];
  backend.machine.run("rmsNorm", rows, 3 * width, ...places, width, epsilon);
  return [out, rstd];
};

/** Rows of which one partial sum of the gain's gradient is made: fixed, so that threads do not change the sum. */
const GAIN_BLOCK = 64;

export const rmsNormGradient: FusedKernel<"TokensiftRmsNormGrad"> = ({ x, gain, rstd, dy }, _attrs, backend) => {
  const [rows, width] = x.shape;
  const [dx, dGain] = [backend.empty(x.shape), backend.empty([width])];
  const [px, pg, ps, pd] = [x, gain, rstd, dy].map((tensor) => backend.placeOf(tensor));
  const blocks = Math.ceil(rows / GAIN_BLOCK);
  const { machine } = backend;
  machine.withScratch(blocks * width * 4, (partial) => {
    const places = [px!, pg!, ps!, pd!, dx.place, partial];
    machine.run("rmsNormGradient", blocks, 5 * GAIN_BLOCK * width, ...places, width, rows, GAIN_BLOCK);
    machine.run("sumColumns", width, blocks, partial, dGain.place, blocks, width, 1);
  });
  return [dx, dGain];
};

export const layerNorm: FusedKernel<"TokensiftLayerNorm"> = ({ x, gain, bias }, { epsilon }, backend) => {
  const [rows, width] = x.shape;
  const results = [backend.empty(x.shape), backend.empty([rows]), backend.empty([rows])];
  const places = [x, gain, bias, ...results].map((tensor) => backend.placeOf(tensor));
  backend.machine.run("layerNorm", rows, 4 * width, ...places, width, epsilon);
  return results;
};

export const layerNormGradient: FusedKernel<"TokensiftLayerNormGrad"> = (inputs, _attrs, backend) => {
  const { x, gain, mean, rstd, dy } = inputs;
  const [rows, width] = x.shape;
  const [dx, dGain, dBias] = [backend.empty(x.shape), backend.empty([width]), backend.empty([width])];
  const given = [x, gain, mean, rstd, dy].map((tensor) => backend.placeOf(tensor));
  const blocks = Math.ceil(rows / GAIN_BLOCK);
  const bytes = blocks * width * 4;
  const { machine } = backend;
  machine.withScratch(bytes, (gains) =>
    machine.withScratch(bytes, (biases) => {
      const places = [...given, dx.place, gains, biases];
      machine.run("layerNormGradient", blocks, 6 * GAIN_BLOCK * width, ...places, width, rows, GAIN_BLOCK);
      machine.run("sumColumns", width, blocks, gains, dGain.place, blocks, width, 1);
      machine.run("sumColumns", width, blocks, biases, dBias.place, blocks, width, 1);
    }),
  );
  return [dx, dGain, dBias];
};

export const rotary: FusedKernel<"TokensiftRotary" | "TokensiftPartialRotary"> = (
  { x, cos, sin },
  { heads, sign },
  backend,
) => {
  const out = backend.empty(x.shape);
  const places = [backend.placeOf(x), backend.placeOf(cos), backend.placeOf(sin), out.place];
  backend.machine.run("rotary", x.shape[0], 3 * x.shape[1], ...places, heads, x.shape[1] / heads, cos.shape[1], sign);
  return [out];
};

export const swiglu: FusedKernel<"TokensiftSwiglu"> = ({ gate, up }, _attrs, backend) => {
  const out = backend.empty(gate.shape);
  const lines = linesOf(product(gate.shape));
  backend.machine.run("swiglu", lines, 160, backend.placeOf(gate), backend.placeOf(up), out.place);
  return [out];
};

export const swigluGradient: FusedKernel<"TokensiftSwigluGrad"> = ({ gate, up, dy }, _attrs, backend) => {
  const [dGate, dUp] = [backend.empty(gate.shape), backend.empty(gate.shape)];
  const places = [backend.placeOf(gate), backend.placeOf(up), backend.placeOf(dy), dGate.place, dUp.place];
  backend.machine.run("swigluGradient", linesOf(product(gate.shape)), 200, ...places);
  return [dGate, dUp];
};
