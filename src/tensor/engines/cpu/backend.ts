import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { memoryOf } from "./arena.ts";
import type { Machine } from "./machine.ts";

/** The engine's name among TensorFlow.js' backends. */
export const BACKEND = "tokensift-cpu";

type Values = tf.backend_util.BackendValues;

/** What TensorFlow.js' cpu backend keeps of a tensor, and where its values lie in the arena, if they do. */
interface Entry {
  values?: Values;
  dtype: tf.DataType;
  refCount: number;
  complexTensorInfos?: { real: tf.TensorInfo; imag: tf.TensorInfo };
  place?: number;
}

/** A tensor whose values lie in the arena. */
export interface Placed extends tf.TensorInfo {
  place: number;
}

/**
 * TensorFlow.js' cpu backend with values in the arena. Its own kernels run on ours too: they see the values as typed
 * arrays, and what they return stays an ordinary array until one of our kernels asks where it lies.
 */
export class CpuBackend extends MathBackendCPU {
  readonly machine: Machine;

  constructor(machine: Machine) {
    super();
    this.machine = machine;
  }

  /** Called with values from JavaScript: copied into the arena, so later changes to the array do not reach the tensor. */
  override write(values: Values, _shape: number[], dtype: tf.DataType): object {
    const dataId = {};
    this.move(dataId, values, _shape, dtype, 1);
    return dataId;
  }

  override move(dataId: object, values: Values, _shape: number[], dtype: tf.DataType, refCount: number): void {
    const entry: Entry = { values, dtype, refCount };
    this.data.set(dataId, entry);
    if (isNumeric(dtype) && values !== undefined && values !== null) this.bringIn(entry);
  }

  /** Called by kernels with their results: kept as they are. Views of the arena are copied, their block has an owner. */
  override makeTensorInfo(shape: number[], dtype: tf.DataType, values?: Values | string[]): tf.TensorInfo {
    if (!isNumeric(dtype) || values === undefined || values === null) return super.makeTensorInfo(shape, dtype, values);
    const dataId = {};
    const shared = ArrayBuffer.isView(values) && values.buffer instanceof SharedArrayBuffer;
    this.data.set(dataId, { values: shared ? values.slice() : (values as Values), dtype, refCount: 1 });
    return { dataId, shape, dtype };
  }

  /** A copy: what is read stays good when the tensor is disposed of. */
  override readSync(dataId: object): Values {
    const entry = this.data.get(dataId) as Entry;
    return entry.place === undefined ? super.readSync(dataId) : (entry.values as Float32Array).slice();
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.data.has(dataId)) return true;
    const { place } = this.data.get(dataId) as Entry;
    const released = super.disposeData(dataId, force);
    if (released && place !== undefined) this.machine.arena.free(place);
    return released;
  }

  override memory(): { unreliable: boolean; reasons: string[] } {
    return { unreliable: false, reasons: [] };
  }

  override dispose(): void {
    this.machine.dispose();
  }

  /**
   * A new tensor with arbitrary values, for a kernel to fill.
   * @param near a place in whose memory it should lie: of what it is to be computed with
   */
  empty(shape: number[], dtype: "float32" | "int32" | "bool" = "float32", near?: number): Placed {
    const length = tf.util.sizeFromShape(shape);
    const place = this.machine.arena.allocate(length * bytesOf(dtype), near);
    const dataId = {};
    const entry: Entry = { values: this.view(place, length, dtype), dtype, refCount: 1, place };
    this.data.set(dataId, entry);
    return { dataId, shape, dtype, place };
  }

  /** Where the tensor's values lie; they are moved into the arena now if they were not. */
  placeOf(tensor: tf.TensorInfo): number {
    const entry = this.data.get(tensor.dataId) as Entry;
    if (entry.dtype !== tensor.dtype) throw new Error(`A ${tensor.dtype} tensor holds ${entry.dtype} values`);
    return entry.place ?? this.bringIn(entry);
  }

  /** The values as a view of the arena, good until the tensor is disposed of. */
  valuesOf(tensor: tf.TensorInfo): Float32Array | Int32Array | Uint8Array {
    this.placeOf(tensor);
    return (this.data.get(tensor.dataId) as Entry).values as Float32Array;
  }

  /** Moves the tensor's values into the memory of a place, where they have room there. */
  moveNear(tensor: tf.TensorInfo, place: number): void {
    const { arena } = this.machine;
    const from = this.placeOf(tensor);
    if (memoryOf(from) === memoryOf(place)) return;
    const entry = this.data.get(tensor.dataId) as Entry;
    const { length, byteLength } = entry.values as Float32Array;
    const to = arena.allocate(byteLength, place);
    if (memoryOf(to) !== memoryOf(place)) return arena.free(to);
    arena.uint8(to, byteLength).set(arena.uint8(from, byteLength));
    entry.values = this.view(to, length, entry.dtype as "float32");
    entry.place = to;
    arena.free(from);
  }

  private bringIn(entry: Entry): number {
    const { length } = entry.values!;
    const dtype = entry.dtype as "float32" | "int32" | "bool";
    const place = this.machine.arena.allocateWeights(length * bytesOf(dtype));
    const view = this.view(place, length, dtype);
    view.set(entry.values as Float32Array);
    entry.values = view;
    entry.place = place;
    return place;
  }

  private view(place: number, length: number, dtype: "float32" | "int32" | "bool") {
    const { arena } = this.machine;
    if (dtype === "float32") return arena.float32(place, length);
    return dtype === "int32" ? arena.int32(place, length) : arena.uint8(place, length);
  }
}

function isNumeric(dtype: tf.DataType): dtype is "float32" | "int32" | "bool" {
  return dtype === "float32" || dtype === "int32" || dtype === "bool";
}

function bytesOf(dtype: "float32" | "int32" | "bool"): number {
  return dtype === "bool" ? 1 : 4;
}
