import type { TokenBatch } from "../../contract/index.ts";
import { makeBatch } from "../../data/batches.ts";
import { futurePass } from "../../eviction/gates/future-pass.ts";
import { gatedPass } from "../../eviction/gates/gated-pass.ts";
import type { GateNetwork } from "../../eviction/gates/network.ts";
import { decideGates } from "../../eviction/gate-decision.ts";
import { keepBudget } from "../../eviction/keep-budget.ts";
import { forward } from "../../model/forward.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import type { RunInputs } from "../kit/inputs.ts";
import { chosen, listedPlaces, lossFacts, ranked, rowChoice, type RowLoss } from "../kit/pictured-rows.ts";
import type { WeighedRow } from "../kit/token-rows.ts";
import { type AttentionGateConfig, usualRows } from "./config-schema.ts";
import type { GateLosses } from "./losses.ts";
import { gatedShape, type GateWork } from "./work.ts";

/** A row as the gates see it: `response` marks the tokens that may be evicted, `score` is the share kept of their entries. */
export interface GatedRow extends WeighedRow {
  /** Of every layer, how many of its heads keep the token. */
  keptHeads: number[][];
  heads: number;
}

/** The rows that may be pictured: held-out ones, of the training data without any. */
const picturable = ({ validation, tokens }: Pick<RunInputs, "validation" | "tokens">) =>
  validation ? { tokens: validation, key: "data.validation" } : { tokens, key: "data.train" };

/** @throws UserError for a row that `report.rows` lists and that is not there */
export function refuseUnknownRows({ config, inputs }: { config: AttentionGateConfig; inputs: RunInputs }): void {
  const { tokens, key } = picturable(inputs);
  listedPlaces(config.report, tokens, key);
}

/** Losses of held-out rows under the gates' decisions, as the first evaluation and the one of the saved model have them. */
export interface GateEvaluations {
  readonly first: Partial<GateLosses> | undefined;
  readonly last: Partial<GateLosses> | undefined;
}

/** What `tokens.json` holds: some held-out rows under the gates. */
export async function pictureGates(work: GateWork, evaluations: GateEvaluations) {
  const { gates, inputs, config } = work;
  if (gates === undefined) return { rows: [] };
  const { tokens, key } = picturable(inputs);
  const choice = rowChoice(config.report, usualRows);
  const drawn = (places: readonly number[]): Promise<GatedRow[]> => gatedRows({ ...work, gates }, tokens, places);
  if ("listed" in choice) return { ...chosen(choice, 0), rows: await drawn(listedPlaces(config.report, tokens, key)) };
  const { kind, count } = choice;
  if (kind === "first")
    return { rows: await drawn(Array.from({ length: Math.min(count, tokens.length) }, (_, place) => place)) };
  const [before, now] = [evaluations.first?.rowHardLosses, evaluations.last?.rowHardLosses ?? []];
  const losses = now.map((loss, i): RowLoss => ({ loss, ...(kind === "changed" && { before: before?.[i] }) }));
  const places = ranked(kind, losses, count); // the first rows are evaluated, in their order
  const rows = await drawn(places);
  return {
    ...chosen(choice, losses.length),
    rows: rows.map((row, i) => ({ ...row, ...lossFacts(losses[places[i]!]!) })),
  };
}

async function gatedRows(
  work: GateWork & { gates: GateNetwork },
  data: TokenizedDataset,
  places: readonly number[],
): Promise<GatedRow[]> {
  const { model, gates } = work;
  const rows: GatedRow[] = [];
  for (const index of places) {
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
