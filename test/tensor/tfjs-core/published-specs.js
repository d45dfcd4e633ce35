// What only the specs of TensorFlow.js need. Their declarations make operations methods of every tensor, which they are
// nowhere else: so the compiler must not read them, and this file is JavaScript.
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js";

/** Hands the specs to jasmine, which must be there as global functions. */
export async function describeSpecs(environment) {
  const { setTestEnvs } = await import("@tensorflow/tfjs-core/dist/jasmine_util.js");
  setTestEnvs([environment]);
  await import("@tensorflow/tfjs-core/dist/tests.js");
}
