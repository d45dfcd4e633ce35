/** Form of a product: which operands are stored transposed, and whether it is added to what is there. */
export interface ProductForm {
  transA: number;
  transB: number;
  beta: number;
}

const FLOAT_TENSOR = 1;
const ATTRIBUTE_INT = 2;

/**
 * An ONNX model of one product of float32 matrices of any size: `o = op(a) op(b)` as `FusedMatMul`, or
 * `o = op(a) op(b) + c` as `Gemm` where beta is 1. Field numbers are those of onnx.proto (IR version 8, operator set 20).
 */
export function productModel({ transA, transB, beta }: ProductForm): Uint8Array {
  const inputs = beta === 0 ? ["a", "b"] : ["a", "b", "c"];
  const node = [
    ...inputs.flatMap((name) => text(1, name)),
    ...text(2, "o"),
    ...text(4, beta === 0 ? "FusedMatMul" : "Gemm"),
    ...(beta === 0 ? text(7, "com.microsoft") : []),
    ...intAttribute("transA", transA),
    ...intAttribute("transB", transB),
  ];
  const graph = [
    ...message(1, node),
    ...text(2, "product"),
    ...inputs.flatMap((name) => message(11, matrix(name))),
    ...message(12, matrix("o")),
  ];
  const standardOperators = [...text(1, ""), ...integer(2, 20)];
  const microsoftOperators = [...text(1, "com.microsoft"), ...integer(2, 1)];
  return Uint8Array.from([
    ...integer(1, 8),
    ...message(7, graph),
    ...message(8, standardOperators),
    ...message(8, microsoftOperators),
  ]);
}

/** A graph input or output: a float32 matrix whose two sizes are named after it. */
function matrix(name: string): number[] {
  const shape = ["Rows", "Columns"].flatMap((axis) => message(1, text(2, name + axis)));
  const tensor = [...integer(1, FLOAT_TENSOR), ...message(2, shape)];
  return [...text(1, name), ...message(2, message(1, tensor))];
}

function intAttribute(name: string, value: number): number[] {
  return message(5, [...text(1, name), ...integer(3, value), ...integer(20, ATTRIBUTE_INT)]);
}

function text(field: number, value: string): number[] {
  return message(field, [...Buffer.from(value)]);
}

function message(field: number, body: number[]): number[] {
  return [...varint((field << 3) | 2), ...varint(body.length), ...body];
}

function integer(field: number, value: number): number[] {
  return [...varint(field << 3), ...varint(value)];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value];
}
