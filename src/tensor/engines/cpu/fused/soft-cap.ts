import { linesOf, product } from "../fast/kernel.ts";
import type { FusedKernel } from "./kernel.ts";

export const softCap: FusedKernel<"TokensiftSoftCap"> = ({ x }, { cap }, backend) => {
  const out = backend.empty(x.shape);
  backend.machine.run("softCap", linesOf(product(x.shape)), 160, backend.placeOf(x), out.place, cap);
  return [out];
};
