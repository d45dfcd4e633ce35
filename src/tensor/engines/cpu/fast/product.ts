import * as tf from "@tensorflow/tfjs-core";
import type { CpuBackend, Placed } from "../backend.ts";
import { multiply } from "../product.ts";
import { elementwise } from "./elementwise.ts";
import type { FastKernel, Result } from "./kernel.ts";
import { isFloat, product } from "./kernel.ts";

interface ProductAttributes {
  transposeA: boolean;
  transposeB: boolean;
}

/** `op(a) op(b)` over the last two axes; the axes before them are batches, repeated where one operand has fewer. */
function batchMatMul(
  backend: CpuBackend,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  { transposeA, transposeB }: ProductAttributes,
): Placed | undefined {
  if (!isFloat(a, b)) return undefined;
  const [rank, bRank] = [a.shape.length, b.shape.length];
  const [aRows, aColumns] = [a.shape[rank - 2]!, a.shape[rank - 1]!];
  const [bRows, bColumns] = [b.shape[bRank - 2]!, b.shape[bRank - 1]!];
  const [M, K] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [depth, N] = transposeB ? [bColumns, bRows] : [bRows, bColumns];
  if (K !== depth) throw new Error(`matMul: inner sizes ${K} and ${depth} of [${a.shape}] and [${b.shape}] differ`);
  const [aBatch, bBatch] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const [aCount, bCount] = [product(aBatch), product(bBatch)];
  const batch = tf.backend_util.assertAndGetBroadcastShape(aBatch, bBatch);
  const count = product(batch);
  if ((aCount !== count && aCount !== 1) || (bCount !== count && bCount !== 1)) return undefined;
  const out = backend.empty([...batch, M, N]);
  const [p, q] = [backend.placeOf(a), backend.placeOf(b)];
  for (let i = 0; i < count; i++) {
    const x = p + (aCount === 1 ? 0 : i * M * K * 4);
    const y = q + (bCount === 1 ? 0 : i * K * N * 4);
    multiply(backend.machine, {
      ...{ transA: transposeA, transB: transposeB, M, N, K },
      ...{ a: x, b: y, c: out.place + i * M * N * 4 },
    });
  }
  return out;
}

/** Activations that `_FusedMatMul` may ask for, by the kernel that computes them. */
const ACTIVATIONS: Record<string, string> = { relu: "Relu", relu6: "Relu6", elu: "Elu", sigmoid: "Sigmoid" };

const fusedMatMul: FastKernel<ProductAttributes & { activation?: string }> = ({ inputs, attrs, backend }) => {
  const activation = attrs.activation ?? "linear";
  const kernel = ACTIVATIONS[activation];
  if (activation !== "linear" && kernel === undefined) return undefined;
  const { a, b, bias } = inputs;
  if (bias !== undefined && bias !== null && !isFloat(bias)) return undefined;
  let result: tf.TensorInfo | undefined = batchMatMul(backend, a!, b!, attrs);
  if (result === undefined) return undefined;
  const replace = (by: Result | undefined): void => {
    backend.disposeIntermediateTensorInfo(result!);
    result = by as tf.TensorInfo;
  };
  if (bias !== undefined && bias !== null)
    replace(elementwise["Add"]!({ inputs: { a: result, b: bias }, attrs: undefined as never, backend }));
  if (kernel !== undefined)
    replace(tf.getKernel(kernel, "cpu").kernelFunc({ inputs: { x: result }, attrs: {}, backend }));
  return result;
};

export const products = {
  BatchMatMul: (({ inputs, attrs, backend }) =>
    batchMatMul(backend, inputs["a"]!, inputs["b"]!, attrs)) as FastKernel<ProductAttributes>,
  _FusedMatMul: fusedMatMul,
};
