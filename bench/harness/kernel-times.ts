import * as tf from "@tensorflow/tfjs-core";

/**
 * From now on notes how many milliseconds each kernel of the backend takes; a kernel called by another one counts for
 * itself alone. Only for engines that compute while they are called.
 * @returns the sums by kernel name, for the caller to clear
 */
export function recordKernelTimes(backendName: string): Map<string, number> {
  const sums = new Map<string, number>();
  let inner = 0;
  for (const config of tf.getKernelsForBackend(backendName)) {
    const { kernelName, kernelFunc } = config;
    tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      ...config,
      kernelFunc: (call) => {
        const before = inner;
        inner = 0;
        const start = performance.now();
        try {
          return kernelFunc(call);
        } finally {
          const whole = performance.now() - start;
          sums.set(kernelName, (sums.get(kernelName) ?? 0) + whole - inner);
          inner = before + whole;
        }
      },
    });
  }
  return sums;
}
