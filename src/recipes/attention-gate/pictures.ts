import { makeBatch } from "../../data/batches.ts";
import { gatedPass } from "../../eviction/gates/gated-pass.ts";
import { decideGates } from "../../eviction/gate-decision.ts";
import { forward } from "../../model/forward.ts";
import type { WeighedRow } from "../kit/token-rows.ts";
import { gatedShape, type GateWork } from "./work.ts";

/** A row as the gates see it: `response` marks the tokens that may be evicted, `score` is the share kept of their entries. */
export interface GatedRow extends WeighedRow {
  /** Of every layer, how many of its heads keep the token. */
  keptHeads: number[][];
  heads: number;
}

const picturedRows = 4;

/** The first held-out rows (of the training data without any) for the report's token pictures. */
export async function pictureGates(work: GateWork): Promise<GatedRow[]> {
  const { model, gates, gateOptions, config, inputs } = work;
  if (gates === undefined) return [];
  const data = inputs.validation ?? inputs.tokens;
  const { sinks, window, rows: kind } = config.gates;
  const options = { ...gateOptions, sinks, window, rows: kind, relaxation: "straight-through" as const };
  const rows: GatedRow[] = [];
  for (let index = 0; index < Math.min(picturedRows, data.length); index++) {
    const batch = makeBatch(data, [index]);
    const shape = gatedShape(work, batch);
    const { heads, evictable, width } = shape;
    using pass = forward(model, batch, { gradients: null, attention: gatedPass(model, gates, options) });
    const read = await pass.read(["logProb", "gates"]);
    const keptHeads = read.gates.map((probability) => {
      const { keep } = decideGates(probability, shape, gateOptions);
      return Array.from({ length: width }, (_, t) =>
        keep.subarray(t * heads, (t + 1) * heads).reduce((sum, flag) => sum + flag, 0),
      );
    });
    const share = Array.from(
      { length: width },
      (_, t) => keptHeads.reduce((sum, layer) => sum + layer[t]!, 0) / (heads * keptHeads.length),
    );
    const key = batch.columns["key"];
    rows.push({
      rowId: data.rowIds[index]!,
      pieces: Array.from(batch.ids, (id) => model.tokenizer.piece(id)),
      response: [...evictable],
      weights: share.map((x) => Number(x > 0)),
      score: share.map((x, t) => (evictable[t] ? x : null)),
      scoreName: "share of heads that keep it",
      ...(key && { noise: [...key] }),
      keptHeads,
      heads,
    });
  }
  return rows;
}
