/**
 * What the package's published declarations say of TensorFlow.js' tensors, in whose place they stand there: its own
 * declarations need types of browsers and of other packages, which a project would have to have. Every tensor of
 * `@tensorflow/tfjs-core` is one of these; where one of these goes into a function of `tf`, say `x as tf.Tensor2D`.
 */

/** Sizes of a tensor by its rank. */
interface Shapes {
  R0: [];
  R1: [number];
  R2: [number, number];
  R3: [number, number, number];
  R4: [number, number, number, number];
}

export type Rank = keyof Shapes;

export declare namespace Rank {
  type R0 = "R0";
  type R1 = "R1";
  type R2 = "R2";
  type R3 = "R3";
  type R4 = "R4";
}

/** The numbers of a tensor, row after row. */
type Numbers = Float32Array | Int32Array | Uint8Array;

/** A TensorFlow.js tensor on the engine in use. Memory is freed by `dispose()`, not by the garbage collector. */
export interface Tensor<R extends Rank = Rank> {
  readonly id: number;
  readonly shape: [Rank] extends [R] ? number[] : Shapes[R];
  readonly dtype: string;
  readonly size: number;
  readonly isDisposed: boolean;
  data(): Promise<Numbers>;
  dataSync(): Numbers;
  dispose(): void;
}

export type Scalar = Tensor<Rank.R0>;
export type Tensor1D = Tensor<Rank.R1>;
export type Tensor2D = Tensor<Rank.R2>;
export type Tensor3D = Tensor<Rank.R3>;

/** A tensor that can be given other numbers: a parameter, or a moment of the optimizer. */
export interface Variable<R extends Rank = Rank> extends Tensor<R> {
  name: string;
  readonly trainable: boolean;
  assign(value: Tensor<R>): void;
}
