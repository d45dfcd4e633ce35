/**
 * Trains five steps on the cpu engine with products by each of some providers and with each number of threads, and
 * prints the weights' digests, a line each:
 *
 *     npx tsx test/model/five-steps.ts <auto,onnxruntime,blas,wasm> <threads...>
 */
import { createHash } from "node:crypto";
import { initializeModel } from "../../src/model/initialize.ts";
import { useEngine, type EngineOptions } from "../../src/tensor/engine.ts";
import { randomBatch, sharedWork, train } from "./train.ts";

const [providers, ...numbers] = process.argv.slice(2);
for (const matmul of providers!.split(",") as NonNullable<EngineOptions["matmul"]>[]) {
  for (const threads of numbers) process.stdout.write(`${await digestOf(matmul, Number(threads))}\n`);
}

async function digestOf(matmul: NonNullable<EngineOptions["matmul"]>, threads: number): Promise<string> {
  await useEngine("cpu", { threads, matmul });
  const decoder = await initializeModel(sharedWork, { seed: 1 });
  await train(
    decoder,
    5,
    (step) => randomBatch(step, 2, 128, sharedWork.vocabularySize),
    () => undefined,
  );
  const digest = createHash("sha256");
  for (const { variable } of decoder.parameters) digest.update(await variable.data<"float32">());
  decoder.dispose();
  return digest.digest("hex");
}
