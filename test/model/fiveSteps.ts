/**
 * Trains five steps on the cpu engine with each number of threads and prints the weights' digests, a line each:
 *
 *     npx tsx test/model/fiveSteps.ts <auto|onnxruntime|wasm> <threads...>
 */
import { createHash } from "node:crypto";
import { initializeModel } from "../../src/model/index.ts";
import { useEngine, type EngineOptions } from "../../src/tensor/engine.ts";
import { randomBatch, sharedWork, train } from "./train.ts";

const [matmul, ...numbers] = process.argv.slice(2);
for (const threads of numbers) {
  await useEngine("cpu", { threads: Number(threads), matmul: matmul as NonNullable<EngineOptions["matmul"]> });
  const decoder = await initializeModel(sharedWork, { seed: 1 });
  await train(
    decoder,
    5,
    (step) => randomBatch(step, 4, 128, sharedWork.vocabularySize),
    () => undefined,
  );
  const digest = createHash("sha256");
  for (const { variable } of decoder.parameters) digest.update(await variable.data<"float32">());
  process.stdout.write(`${digest.digest("hex")}\n`);
  decoder.dispose();
}
