const { TestEnvironment } = require("jest-environment-node");

/**
 * Jest gives tests a global object of another realm, in which `new Float32Array() instanceof Float32Array` of a
 * native module or of TensorFlow.js fails. Handing the outer realm's binary types over makes both sides one.
 */
module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of ["ArrayBuffer", "SharedArrayBuffer", "DataView", "Uint8Array", "Int8Array", "Uint8ClampedArray"])
      this.global[name] = globalThis[name];
    for (const name of ["Uint16Array", "Int16Array", "Uint32Array", "Int32Array", "Float32Array", "Float64Array"])
      this.global[name] = globalThis[name];
    for (const name of ["BigInt64Array", "BigUint64Array", "Atomics", "WebAssembly"])
      this.global[name] = globalThis[name];
  }
};
