import type { Activation } from "../../../ops/index.ts";
import { linesOf, product } from "../fast/kernel.ts";
import type { FusedKernel } from "./kernel.ts";

/** The numbers by which kernels know them. */
const kinds: Record<Activation, number> = { silu: 0, gelu: 1, "gelu-tanh": 2 };

export const activate: FusedKernel<"TokensiftActivate"> = ({ x }, { activation }, backend) => {
  const out = backend.empty(x.shape);
  backend.machine.run("activate", linesOf(product(x.shape)), 160, kinds[activation], backend.placeOf(x), out.place);
  return [out];
};

export const activateGradient: FusedKernel<"TokensiftActivateGrad"> = ({ x, dy }, { activation }, backend) => {
  const dx = backend.empty(x.shape);
  const places = [backend.placeOf(x), backend.placeOf(dy), dx.place];
  backend.machine.run("activateGradient", linesOf(product(x.shape)), 200, kinds[activation], ...places);
  return [dx];
};

export const gatedUnit: FusedKernel<"TokensiftGatedUnit"> = ({ gate, up }, { activation }, backend) => {
  const out = backend.empty(gate.shape);
  const places = [backend.placeOf(gate), backend.placeOf(up), out.place];
  backend.machine.run("gatedUnit", linesOf(product(gate.shape)), 160, kinds[activation], ...places);
  return [out];
};

export const gatedUnitGradient: FusedKernel<"TokensiftGatedUnitGrad"> = ({ gate, up, dy }, { activation }, backend) => {
  const [dGate, dUp] = [backend.empty(gate.shape), backend.empty(gate.shape)];
  const places = [backend.placeOf(gate), backend.placeOf(up), backend.placeOf(dy), dGate.place, dUp.place];
  backend.machine.run("gatedUnitGradient", linesOf(product(gate.shape)), 240, kinds[activation], ...places);
  return [dGate, dUp];
};
