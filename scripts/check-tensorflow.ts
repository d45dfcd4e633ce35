import * as tf from "@tensorflow/tfjs-core";
import { UserError } from "../src/system/errors.ts";
import { useEngine } from "../src/tensor/engine.ts";

/** Multiplies two matrices on the TensorFlow engine and says on what it ran; fails where `gpu` was asked for in vain. */
async function check(variant: string | undefined): Promise<void> {
  const { provider, device, gpu } = await useEngine("tensorflow");
  const product = tf.matMul(tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2]));
  const values = (await product.data()).join();
  if (values !== "19,22,43,50") throw new Error(`wrong product: ${values}`);
  process.stdout.write(`engine tensorflow works: ${provider} on ${gpu ? "GPU" : "CPU"} (${device})\n`);
  if (variant === "gpu" && !gpu)
    throw new UserError("engine-unavailable", "TensorFlow found no GPU", {
      where: "setup:tensorflow",
      fix: "Check the NVIDIA driver with nvidia-smi; CUDA itself came with the wheels.",
    });
}

await check(process.argv[2]).catch((error: unknown) => {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
});
