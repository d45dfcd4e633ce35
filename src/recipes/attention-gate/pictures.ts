import type { TokenBatch } from "../../contract/index.ts";
import { makeBatch } from "../../data/batches.ts";
import { futurePass } from "../../eviction/gates/future-pass.ts";
import { gatedPass } from "../../eviction/gates/gated-pass.ts";
import type { GateNetwork } from "../../eviction/gates/network.ts";
import { decideGates } from "../../eviction/gate-decision.ts";
import { keepBudget } from "../../eviction/keep-budget.ts";
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
  const { model, gates, inputs } = work;
  if (gates === undefined) return [];
  const data = inputs.validation ?? inputs.tokens;
  const rows: GatedRow[] = [];
  for (let index = 0; index < Math.min(picturedRows, data.length); index++) {
    const batch = makeBatch(data, [index]);
    const { heads, evictable, width } = gatedShape(work, batch);
    const keptHeads = (await keptEntries(work, gates, batch)).map((keep) =>
      Array.from({ length: width }, (_, t) =>
        keep.subarray(t * heads, (t + 1) * heads).reduce((sum, flag) => sum + flag, 0),
      ),
    );
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

/** Of every layer of one row what the gates keep, `[width * heads]`. */
async function keptEntries(
  { model, gateOptions, config }: GateWork,
  gates: GateNetwork,
  batch: TokenBatch,
): Promise<Uint8Array[]> {
  const { sinks, window, rows } = config.gates;
  const options = { ...gateOptions, sinks, window, rows, relaxation: "straight-through" as const };
  const shape = gatedShape({ model, config }, batch);
  const ratio = config.evaluation.keep?.[0];
  if (ratio === undefined) {
    using pass = forward(model, batch, { gradients: null, attention: gatedPass(model, gates, options) });
    const read = await pass.read(["logProb", "gates"]);
    return read.gates.map((probability) => decideGates(probability, shape, gateOptions).keep);
  }
  using pass = futurePass(model, gates, batch, { ...options, gradients: null });
  const read = await pass.read(["gates"]);
  const answer = rows === "prompts" ? batch.response.indexOf(1) : -1;
  const prompt = answer < 0 ? shape.width : answer; // what follows is generated, and stays
  const { heads } = shape;
  return read.gates.map((scores) => {
    const keep = new Uint8Array(scores.length).fill(1);
    if (prompt === 0) return keep;
    const ofPrompt = { rows: 1, width: prompt, heads, lengths: [prompt] };
    keep.set(keepBudget(scores.subarray(0, prompt * heads), ofPrompt, { ratio, sinks, recent: window }));
    return keep;
  });
}
