import * as tf from "@tensorflow/tfjs-core";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "@jest/globals";
import { forward, gradientStore, type Adapter, type Decoder } from "../../../src/model/index.ts";
import { stream } from "../../../src/system/random.ts";
import { fixture, readReference, referenceBatch, type Case } from "../reference.ts";

/** An adapter that PEFT made; made by `test/fixtures/adapters/make.py`. */
export function adapterFixture(name: string, ...file: string[]): string {
  return join(fixture("tied"), "../../adapters", name, ...file);
}

/** Of every adapter that PEFT made, its name. */
export function adapterFixtures(): string[] {
  const entries = readdirSync(adapterFixture("."), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** The model below such an adapter, and the logits of its first text. */
export function peftReference(name: string): { model: Case; logits: number[][] } {
  return JSON.parse(readFileSync(adapterFixture(name, "reference.json"), "utf8")) as {
    model: Case;
    logits: number[][];
  };
}

export function peftLogits(name: string): number[][] {
  return peftReference(name).logits;
}

/** The text whose logits the references hold. */
export function firstText(name: Case): number[] {
  const { ids, lengths } = readReference(name);
  return ids[0]!.slice(0, lengths[0]);
}

/** Fills every B, which is 0 in a fresh adapter, with random numbers. */
export function fillB({ changes }: Adapter, seed: number): void {
  for (const { module, b } of changes) {
    const random = stream(seed, module);
    const values = Float32Array.from({ length: b.size }, () => random.next() - 0.5);
    tf.tidy(() => b.assign(tf.tensor2d(values, b.shape)));
  }
}

/** `sum(weight * logProb)` of the reference batch, in a training pass, and on request its gradients by parameter name. */
export async function weightedLoss(
  model: Decoder,
  name: Case,
  { withGradients = false, rows }: { withGradients?: boolean; rows?: number[] } = {},
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const reference = readReference(name);
  const batch = referenceBatch(reference, rows);
  const weight = (rows ?? [...reference.ids.keys()]).flatMap((row) => reference.weight[row]!.slice(0, batch.width));
  const store = gradientStore();
  using pass = forward(model, batch, { gradients: store });
  const { logProb } = await pass.read(["logProb"]);
  const gradients = new Map<string, Float32Array>();
  if (withGradients) pass.backward({ logProb: Float32Array.from(weight) });
  for (const { name, variable } of model.parameters) {
    const gradient = await store.get(variable)?.data<"float32">();
    if (gradient !== undefined) gradients.set(name, gradient);
  }
  store.clear();
  return { loss: logProb.reduce((sum, value, i) => sum + value * weight[i]!, 0), gradients };
}

/** A folder that is removed after the tests of the file; the result joins names to it. */
export function scratchFolder(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), "adapters-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}
