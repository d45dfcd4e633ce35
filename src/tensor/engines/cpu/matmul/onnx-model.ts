/** Form of a product: which operands are stored transposed, and whether it is added to what is there. */
export interface ProductForm {
  transA: number;
  transB: number;
  beta: number;
}

// Field numbers are those of onnx.proto (IR version 8, operator set 20).
const FLOAT_TENSOR = 1;
const ATTRIBUTE_INT = 2;

/**
 * An ONNX model of one product of float32 matrices of any size: `o = op(a) op(b)` as `FusedMatMul`, or
 * `o = op(a) op(b) + c` as `Gemm` where beta is 1.
 */
export function productModel({ transA, transB, beta }: ProductForm): Uint8Array {
  const attributes = [...intAttribute("transA", transA), ...intAttribute("transB", transB)];
  return beta === 0
    ? model("FusedMatMul", ["a", "b"], [...text(7, "com.microsoft"), ...attributes])
    : model("Gemm", ["a", "b", "c"], attributes);
}

/** `o = softmax` of the rows of the float32 matrix `a`. */
export function softmaxModel(): Uint8Array {
  return model("Softmax", ["a"], intAttribute("axis", 1));
}

/** A model of one operator on matrices; `rest` is what else the node holds. */
function model(operator: string, inputs: string[], rest: number[]): Uint8Array {
  const node = [...inputs.flatMap((name) => text(1, name)), ...text(2, "o"), ...text(4, operator), ...rest];
  const graph = [
    ...message(1, node),
    ...text(2, operator),
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
