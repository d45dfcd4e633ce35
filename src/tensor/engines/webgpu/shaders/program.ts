import type { WebGPUBackend, WebGPUProgram } from "@tensorflow/tfjs-backend-webgpu";
import type * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../../../shape.ts";

/** Lanes of a workgroup. */
const LANES = 64;

/** A shader's arguments: in WGSL an input is an array of its name, a number is `uniforms.NAME`. */
interface Shader {
  /** One name, one code. */
  name: string;
  inputs: Readonly<Record<string, tf.TensorInfo>>;
  floats?: Readonly<Record<string, number>>;
  integers?: Readonly<Record<string, number>>;
  /** Shape of the result. */
  shape: readonly number[];
}

export interface ElementShader extends Shader {
  /** Names of the inputs that hold one number for each row; a row is the last dimension of the result. */
  perRow?: readonly string[];
  /**
   * WGSL of the result at `index`, which lies in `row` and `column`. Where the row's length allows it four neighbours are
   * computed at a time: `Value` is `f32` or `vec4<f32>`, and `index` and `column` count in such values.
   */
  value: string;
  /** WGSL statements ahead of it. */
  before?: string;
}

/** Runs a shader that computes each element by itself. */
export function runByElements(backend: WebGPUBackend, shader: ElementShader): tf.TensorInfo {
  const { inputs, shape, perRow = [], before = "", value } = shader;
  const columns = shape.at(-1) ?? 1;
  const components = columns % 4 === 0 ? 4 : 1;
  const lines = { ...shader, integers: { columns: columns / components, ...shader.integers } };
  return run(backend, lines, {
    shaderKey: `${shader.name} ${components}`,
    dispatch: [Math.ceil(sizeOf(shape) / components / LANES), 1, 1],
    size: true,
    outputComponent: components,
    variableComponents: Object.keys(inputs).map((name) => (perRow.includes(name) ? 1 : components)),
    getUserCode: () => `
      alias Value = ${components === 4 ? "vec4<f32>" : "f32"};
      fn main(index: i32) {
        if (index >= uniforms.size) { return; }
        let row = index / uniforms.columns;
        let column = index - row * uniforms.columns;
        ${before}
        result[index] = ${value};
      }`,
  });
}

export interface RowShader extends Shader {
  /** Rows that it works through, a workgroup each. */
  rows: number;
  /**
   * WGSL of what the workgroup does for `row`: each of its `LANES` lanes knows itself as `lane`, and `sumOfLanes(x)` and
   * `largestOfLanes(x)` join what all lanes hold. All of them must come to such a call.
   */
  body: string;
}

/** Runs a shader in which many lanes work on a row together. */
export function runByRows(backend: WebGPUBackend, shader: RowShader): tf.TensorInfo {
  const lines = { ...shader, integers: { rows: shader.rows, ...shader.integers } };
  return run(backend, lines, {
    shaderKey: shader.name,
    dispatch: [shader.rows, 1, 1],
    getUserCode: () => `
      const LANES = ${LANES};
      ${joined("sumOfLanes", "lanes[lane] + lanes[lane + half]")}
      ${joined("largestOfLanes", "max(lanes[lane], lanes[lane + half])")}
      var<workgroup> lanes: array<f32, LANES>;
      fn main(index: i32) {
        // Workgroups may outnumber the rows: those beyond do the last row once more.
        let row = min(index / LANES, uniforms.rows - 1);
        let lane = i32(localIndex);
        ${shader.body}
      }`,
  });
}

function joined(name: string, pair: string): string {
  return `
      fn ${name}(own: f32) -> f32 {
        let lane = i32(localIndex);
        workgroupBarrier(); // an earlier result may still be read
        lanes[lane] = own;
        workgroupBarrier();
        for (var half = LANES / 2; half > 0; half /= 2) {
          if (lane < half) { lanes[lane] = ${pair}; }
          workgroupBarrier();
        }
        return lanes[0];
      }`;
}

type Code = Pick<WebGPUProgram, "shaderKey" | "dispatch" | "getUserCode"> & Partial<WebGPUProgram>;

function run(backend: WebGPUBackend, { name, inputs, floats, integers, shape }: Shader, code: Code): tf.TensorInfo {
  const numbers = [
    ...Object.entries(floats ?? {}).map(([key, value]) => ({ key, wgsl: "f32", type: "float32", data: [value] })),
    ...Object.entries(integers ?? {}).map(([key, value]) => ({ key, wgsl: "i32", type: "int32", data: [value] })),
  ];
  const program: WebGPUProgram = {
    ...code,
    shaderKey: `tokensift ${name} ${code.shaderKey}`,
    outputShape: [...shape],
    dispatchLayout: { x: shape.map((_, i) => i) },
    variableNames: Object.keys(inputs),
    workgroupSize: [LANES, 1, 1],
    uniforms: numbers.map(({ key, wgsl }) => `${key} : ${wgsl},`).join(" "),
  };
  return backend.runWebGPUProgram(program, Object.values(inputs), "float32", numbers);
}
