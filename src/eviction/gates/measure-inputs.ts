import * as tf from "@tensorflow/tfjs-core";
import type { TokenBatch } from "../../contract/index.ts";
import type { Decoder } from "../../model/decoder.ts";
import { packTokens } from "../../model/packing.ts";
import { assignSaved } from "../../model/saved-values.ts";
import { letEventsIn } from "../../system/event-loop.ts";
import type { ExemptionOptions } from "../exemptions.ts";
import { packedExemptions, type RowKind } from "./layout.ts";
import { gateInput, type GateNetwork } from "./network.ts";
import { traceLayers } from "./trace-layers.ts";

/** Mean of so many tokens' numbers, and the sums of the squares of their differences from it. */
interface Spread {
  tokens: number;
  mean: Float64Array;
  squares: Float64Array;
}

/**
 * Measures by what gates standardise their inputs: mean and standard deviation of every number over the evictable tokens of
 * some rows, 0.001 added to the latter. Gates that do not standardise stay as they are, and so do all where fewer than
 * two tokens may be evicted.
 * @returns how many tokens were measured
 */
export async function measureInputs(
  model: Decoder,
  gates: GateNetwork,
  batches: Iterable<TokenBatch>,
  { rows = "prompts", ...exemptions }: ExemptionOptions & { readonly rows?: RowKind } = {},
): Promise<number> {
  if (gates.constants.length === 0) return 0;
  const spreads: Spread[] = [];
  for (const batch of batches) {
    const packed = packTokens(batch);
    const { evictable } = packedExemptions(packed, batch, rows, exemptions);
    const tokens = Int32Array.from(evictable.keys()).filter((token) => evictable[token] === 1);
    if (tokens.length === 0) continue;
    const traced = traceLayers(model, packed, (_, layer) => {
      const own = tf.gather(gateInput(gates.settings, layer), tf.tensor1d(tokens, "int32"));
      const mean = tf.mean(own, 0);
      return [mean, tf.sum(tf.square(tf.sub(own, mean)), 0)];
    });
    const numbers = await Promise.all(traced.map((each) => Promise.all(each.map((x) => x.data<"float32">()))));
    numbers.forEach(([mean, squares], layer) => {
      const part = { tokens: tokens.length, mean: Float64Array.from(mean!), squares: Float64Array.from(squares!) };
      spreads[layer] = spreads[layer] === undefined ? part : joined(spreads[layer], part);
    });
    tf.dispose(traced);
    await letEventsIn();
  }
  const measured = spreads[0]?.tokens ?? 0;
  if (measured >= 2)
    for (const { name, variable } of gates.constants) {
      const [, layer, which] = name.split(".");
      const { mean, squares, tokens } = spreads[Number(layer)]!;
      const deviation = squares.map((sum) => Math.sqrt(sum / (tokens - 1)) + 1e-3);
      assignSaved(variable, Float32Array.from(which === "mean" ? mean : deviation), name);
    }
  return measured;
}

function joined(a: Spread, b: Spread): Spread {
  const tokens = a.tokens + b.tokens;
  const shift = b.mean.map((value, i) => value - a.mean[i]!);
  return {
    tokens,
    mean: a.mean.map((value, i) => value + (shift[i]! * b.tokens) / tokens),
    squares: a.squares.map((sum, i) => sum + b.squares[i]! + (shift[i]! ** 2 * a.tokens * b.tokens) / tokens),
  };
}
