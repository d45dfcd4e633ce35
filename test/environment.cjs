const vm = require("node:vm");
const { TestEnvironment } = require("jest-environment-node");

/**
 * Jest gives each suite a global object of another realm, in which `new Float32Array() instanceof Float32Array` of a native
 * module or of TensorFlow.js fails, and of which Node looks up a property anew at every use: an eighth of the tests' time.
 * Here suites run in the realm of Jest itself, one after the other, and what one leaves in the global object, the next
 * does not find. Jest has no setting for it: it asks `node:vm` for a realm, which these contexts do without.
 */
const here = new WeakSet();

const { compileFunction, SourceTextModule, SyntheticModule } = vm;
const { runInContext } = vm.Script.prototype;

function inThisRealm(options) {
  if (here.has(options?.parsingContext)) return { ...options, parsingContext: undefined };
  if (here.has(options?.context)) return { ...options, context: undefined };
  return options;
}

vm.compileFunction = (code, names, options) => compileFunction(code, names, inThisRealm(options));
vm.Script.prototype.runInContext = function (context, options) {
  return here.has(context) ? this.runInThisContext(options) : runInContext.call(this, context, options);
};
vm.SourceTextModule = class extends SourceTextModule {
  constructor(code, options) {
    super(code, inThisRealm(options));
  }
};
vm.SyntheticModule = class extends SyntheticModule {
  constructor(names, evaluate, options) {
    super(names, evaluate, inThisRealm(options));
  }
};

module.exports = class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    here.add(this.context);
    this.global = globalThis;
    this.before = { names: new Set(Reflect.ownKeys(globalThis)), variables: { ...process.env } };
  }

  async teardown() {
    // what cannot be deleted is Jest's own, which it finds again
    for (const name of Reflect.ownKeys(globalThis))
      if (!this.before.names.has(name)) Reflect.deleteProperty(globalThis, name);
    for (const name of Object.keys(process.env))
      if (!(name in this.before.variables)) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, this.before.variables);
    await super.teardown();
  }
};
