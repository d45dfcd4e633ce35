import type * as tf from "@tensorflow/tfjs-core";
import type { NumberedTensors } from "../../../ops/kernels.ts";
import { multiplyAll } from "../product.ts";
import { multiplyBackByStored, multiplyByStored } from "../stored.ts";
import type { FusedKernel } from "./kernel.ts";

export const linear: FusedKernel<"TokensiftLinear"> = ({ x, ...rest }, _attrs, backend) => {
  const [N, I] = x.shape;
  const weights = inOrder("weight", rest);
  const outputs = weights.map(({ shape }) => backend.empty([N, shape[0]]));
  const a = backend.placeOf(x);
  multiplyAll(
    backend.machine,
    weights.map((weight, i) => {
      const form = { transA: false, transB: true, M: N, N: weight.shape[0], K: I };
      return [{ ...form, a, b: backend.placeOf(weight), c: outputs[i]!.place }];
    }),
  );
  return outputs;
};

export const linearGradient: FusedKernel<"TokensiftLinearGrad"> = ({ x, ...rest }, { trained }, backend) => {
  const [weights, dys] = [inOrder("weight", rest), inOrder("dy", rest)];
  const [N, I] = [dys[0]!.shape[0], weights[0]!.shape[1]];
  const dx = backend.empty([N, I]);
  const dyPlaces = dys.map((dy) => backend.placeOf(dy));
  const toInput = weights.map((weight, i) => {
    const form = { transA: false, transB: false, M: N, N: I, K: weight.shape[0] };
    return { ...form, a: dyPlaces[i]!, b: backend.placeOf(weight), c: dx.place };
  });
  const live = weights.flatMap(({ shape: [O] }, i) => {
    if (!trained[i]) return [];
    const gradient = backend.empty([O, I], "float32", backend.placeOf(weights[i]!));
    const form = { transA: true, transB: false, M: O, N: I, K: N };
    return [{ gradient, product: { ...form, a: dyPlaces[i]!, b: backend.placeOf(x!), c: gradient.place } }];
  });
  multiplyAll(backend.machine, [toInput, ...live.map(({ product }) => [product])]);
  return [dx, ...live.map(({ gradient }) => gradient)];
};

export const storedLinear: FusedKernel<"TokensiftStoredLinear"> = ({ x }, { weights }, backend) => {
  const outputs = weights.map(({ shape }) => backend.empty([x.shape[0], shape[0]]));
  const products = weights.map((weight, i) => ({ weight, c: outputs[i]!.place }));
  multiplyByStored(backend.machine, { x: backend.placeOf(x), M: x.shape[0] }, products);
  return outputs;
};

export const storedLinearGradient: FusedKernel<"TokensiftStoredLinearGrad"> = (inputs, { weights }, backend) => {
  const dys = inOrder("dy", inputs);
  const M = dys[0]!.shape[0];
  const dx = backend.empty([M, weights[0]!.shape[1]]);
  const products = weights.map((weight, i) => ({ weight, dy: backend.placeOf(dys[i]!) }));
  multiplyBackByStored(backend.machine, { dx: dx.place, M }, products);
  return [dx];
};

/** `name0`, `name1`, ... as a list. */
function inOrder<Name extends string>(name: Name, tensors: NumberedTensors<Name>): tf.Tensor2D[] {
  const found: tf.Tensor2D[] = [];
  for (let i = 0; tensors[`${name}${i}`] !== undefined; i++) found.push(tensors[`${name}${i}`]);
  return found;
}
