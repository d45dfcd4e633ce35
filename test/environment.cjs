const { runInContext } = require("node:vm");
const { TestEnvironment } = require("jest-environment-node");

const binary = [
  ...["ArrayBuffer", "SharedArrayBuffer", "DataView", "Uint8Array", "Int8Array", "Uint8ClampedArray", "Uint16Array"],
  ...["Int16Array", "Uint32Array", "Int32Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array"],
  ...["Atomics", "WebAssembly"],
];
const oftenUsed = ["Array", "JSON", "Map", "Math", "Number", "Object", "Set", "String", "Symbol"];

/**
 * Jest gives tests a global object of another realm, in which `new Float32Array() instanceof Float32Array` of a
 * native module or of TensorFlow.js fails. Handing the outer realm's binary types over makes both sides one.
 *
 * Node looks a property of such a global object up anew at every use, which takes some 200 ns: without `const Math` in
 * front of it, loops over the entries of a tensor would take several times as long as outside of tests.
 */
module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of binary) this.global[name] = globalThis[name];
    const variables = [...binary, ...oftenUsed].map((name) => `${name} = globalThis.${name}`);
    runInContext(`const ${variables.join(", ")};`, this.context);
  }
};
