const vm = require("node:vm");
const { TestEnvironment } = require("jest-environment-node");

const binary = [
  ...["ArrayBuffer", "SharedArrayBuffer", "DataView", "Uint8Array", "Int8Array", "Uint8ClampedArray", "Uint16Array"],
  ...["Int16Array", "Uint32Array", "Int32Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array"],
  ...["Atomics", "WebAssembly"],
];
const oftenUsed = ["Array", "JSON", "Map", "Math", "Number", "Object", "Set", "String", "Symbol"];

/** What V8 has made of the code that this process has compiled, by file; null where it may not be used. */
const compiled = new Map();

/** Files that do not change while tests run: the bundles, and Jest's own. */
const fixed = /[/\\](\.cache[/\\]tests-\d+|node_modules)[/\\]/;

/** Code that Node 20 takes from here has lost its way to import more later. */
const mayImport = /\bimport\s*\(/;

/** Jest compiles every module, and itself, anew for every suite, which takes a small suite longer than its tests. */
class CompiledOnce extends vm.SourceTextModule {
  constructor(code, options) {
    const { identifier } = options;
    super(code, { ...options, cachedData: compiled.get(identifier) ?? undefined });
    if (compiled.has(identifier) || !fixed.test(identifier)) return;
    compiled.set(identifier, mayImport.test(code) ? null : this.createCachedData());
  }
}
vm.SourceTextModule = CompiledOnce;

const { compileFunction } = vm;
vm.compileFunction = (code, parameters, options) => {
  const name = `${parameters} ${options?.filename}`;
  const known = compiled.get(name);
  const lasts = known === undefined && fixed.test(name);
  const produceCachedData = lasts && !mayImport.test(code);
  const made = compileFunction(code, parameters, { ...options, cachedData: known ?? undefined, produceCachedData });
  if (lasts) compiled.set(name, made.cachedData ?? null);
  return made;
};

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
    vm.runInContext(`const ${variables.join(", ")};`, this.context);
  }
};
