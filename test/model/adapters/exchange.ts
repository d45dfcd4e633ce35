/**
 * Prints the logits of a text, `[ids][V]` as JSON, by a model with an adapter: one read from a PEFT folder, or a fresh
 * one with random B that is written there. Used by test/fixtures/adapters/check_peft.py.
 *
 *     npx tsx test/model/adapters/exchange.ts read <model> <adapter> <ids>
 *     npx tsx test/model/adapters/exchange.ts write <model> <adapter> <ids> <options>     (ids, options: JSON)
 */
import "@tensorflow/tfjs-backend-cpu";
import * as tf from "@tensorflow/tfjs-core";
import { createAdapter, loadAdapter, saveAdapter, withAdapter, type LoraOptions } from "../../../src/model/index.ts";
import { createDecoder, decode } from "../../../src/model/decoder.ts";
import { openWeights } from "../../../src/model/weights/open.ts";
import { stream } from "../../../src/system/random.ts";
import { causalAttention } from "../../../src/tensor/ops/index.ts";

const [action, modelFolder, adapterFolder, idsText, optionsText] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
await tf.setBackend("cpu");
const weights = await openWeights(modelFolder);
const base = await createDecoder(weights.config, weights.read);
await weights.close();
const adapter =
  action === "read"
    ? await loadAdapter(adapterFolder, base)
    : await createAdapter(base, JSON.parse(optionsText) as LoraOptions);
const model = withAdapter(base, adapter);
if (action === "write") {
  const random = stream("exchange");
  for (const { variable } of adapter.parameters) {
    const before = await variable.data<"float32">();
    const values = before.map((value) => value * (0.8 + 0.4 * random.next()) + (value === 0 ? random.next() - 0.5 : 0));
    variable.assign(tf.tensor(values, variable.shape));
  }
  await saveAdapter(model, adapterFolder, { card: "# For a check\n" });
}
const ids = Int32Array.from(JSON.parse(idsText) as number[]);
const positions = Int32Array.from(ids.keys());
const { heads, keyValueHeads } = base.config;
const starts = Int32Array.of(0, ids.length);
const hidden = decode(
  model,
  { ids, positions, attend: (_, q, k, v) => causalAttention(q, k, v, { starts, heads, keyValueHeads }).output },
  positions,
);
const logits = tf.matMul<tf.Tensor2D>(hidden, model.outputEmbedding as tf.Variable<tf.Rank.R2>, false, true);
process.stdout.write(`${JSON.stringify(await logits.array())}\n`);
