import type { Forward, Signal, SignalSource, TokenBatch, TokenRule, Tokens } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import { requireFinite } from "./finite-losses.ts";
import type { Decoder } from "../model/decoder.ts";
import type { ForwardOptions } from "../model/forward.ts";

/** Where the signals of a rule come from. */
export interface SignalPlan {
  readonly needs: readonly Signal[];
  /** What the forward pass computes beside log-probabilities. */
  readonly pass: Pick<ForwardOptions, "entropy" | "entropyTop20" | "concentration" | "promptAttention">;
  readonly sources: readonly SignalSource[];
  /** What a rule with an anchor is held near. */
  readonly reference?: Decoder;
}

/**
 * Finds a source for every signal that a rule needs.
 * @param reference what a rule with an anchor is held near: the starting model, in ASFT
 * @throws UserError for a signal that nothing supplies
 * @example
 * import { createFrom, rules, ssToken } from "tokensift/selection";
 * import { planSignals } from "tokensift/training";
 *
 * planSignals(createFrom(rules, { method: "high-entropy" }), []).pass; //=> { entropy: true }
 * planSignals(ssToken(), []); //=> "sstoken: The rule needs historyNll, which nothing supplies."
 */
export function planSignals(
  {
    name,
    needs,
    anchor,
    promptAttentionLayer = -1,
  }: Pick<TokenRule, "name" | "needs" | "anchor" | "promptAttentionLayer">,
  sources: readonly SignalSource[],
  reference?: Decoder,
): SignalPlan {
  const fromPass: readonly Signal[] = ["nll", "entropy", "entropyTop20", "concentration", "promptAttention"];
  const used = sources.filter(({ gives }) => gives.some((signal) => needs.includes(signal)));
  for (const signal of needs) {
    if (fromPass.includes(signal) || signal.startsWith("column:")) continue;
    if (used.some(({ gives }) => gives.includes(signal))) continue;
    throw new UserError("missing-signal", `The rule needs ${signal}, which nothing supplies.`, {
      where: name,
      fix: `Give a signal source: newTrainingState(model, tokens, { sources: [liveSource("${signal}", otherModel)] }).`,
    });
  }
  return {
    needs,
    pass: {
      ...(needs.includes("entropy") ? { entropy: true } : {}),
      ...(needs.includes("entropyTop20") ? { entropyTop20: true } : {}),
      ...(needs.includes("concentration") ? { concentration: true } : {}),
      ...(needs.includes("promptAttention") ? { promptAttention: { layer: promptAttentionLayer } } : {}),
    },
    sources: used,
    ...(anchor !== undefined && reference && { reference }),
  };
}

/**
 * Losses of the tokens that a pass predicts, in nats, `[rows * width]`, 0 on others: on all but the response, and prompts
 * that train.
 * @throws UserError where one is not finite, naming row and token
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, makeBatch, tokenizeDataset } from "tokensift/data";
 * import { forward, loadModel } from "tokensift/model";
 * import { readLosses } from "tokensift/training";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const rows = fromRows([{ input_ids: [5, 6, 7, 8], response_mask: [0, 0, 1, 1] }]);
 * const batch = makeBatch(await tokenizeDataset(rows, model.tokenizer), [0]);
 * using pass = forward(model, batch, { gradients: null });
 * await readLosses(pass, batch); //=> [0, 0, 1.444, 6.006]
 * releaseEngine();
 */
export async function readLosses(pass: Forward, batch: TokenBatch): Promise<Float32Array> {
  return lossesOf((await pass.read(["logProb"])).logProb, batch);
}

function lossesOf(logProb: Float32Array, batch: TokenBatch): Float32Array {
  requireFinite(logProb, batch);
  return logProb.map((value) => (value === 0 ? 0 : -value));
}

/** Whether the model in training, or another one, must be run for the signals. */
export function readsModel({ needs, sources }: SignalPlan): boolean {
  return sources.length > 0 || needs.some((signal) => !signal.startsWith("column:"));
}

/** What a rule sees of a batch, and the losses of its response tokens. */
export interface SignalReading {
  readonly tokens: Tokens<Signal>;
  /** `[rows * width]`, 0 outside the response. */
  readonly nll: Float32Array;
}

/**
 * Reads a pass's results and asks the sources for the rest.
 * @throws UserError where a loss is not finite, naming row and token, or for a per-token column that the data lack
 */
export async function readSignals(pass: Forward, batch: TokenBatch, plan: SignalPlan): Promise<SignalReading> {
  const names = ["logProb", ...(Object.keys(plan.pass) as (keyof SignalPlan["pass"])[])] as const;
  const read = await pass.read(names);
  const nll = lossesOf(read.logProb, batch);
  const signals: Partial<Record<Signal, Float32Array>> = { ...read, nll };
  for (const source of plan.sources) Object.assign(signals, await source.compute(batch));
  return { tokens: tokensWith(signals, batch, plan), nll };
}

/** What a rule sees of a batch that needs nothing but its columns, see `readsModel`. */
export function readColumns(batch: TokenBatch, plan: SignalPlan): Tokens<Signal> {
  return tokensWith({}, batch, plan);
}

function tokensWith(
  computed: Readonly<Partial<Record<Signal, Float32Array>>>,
  { rows, width, rowIds, response, endOfTurn, dataWeights, columns }: TokenBatch,
  { needs }: SignalPlan,
): Tokens<Signal> {
  const valueOf = (signal: Signal): Float32Array => {
    if (!signal.startsWith("column:")) return computed[signal]!;
    const name = signal.slice("column:".length);
    if (columns[name] !== undefined) return columns[name];
    throw new UserError("missing-column", `The data have no per-token column "${name}".`, {
      fix: `Name it in data.tokenColumns; the data have ${Object.keys(columns).join(", ") || "none"}.`,
    });
  };
  const signals = Object.fromEntries(needs.map((signal) => [signal, valueOf(signal)])) as Tokens<Signal>["signals"];
  return { rows, width, rowIds, response, endOfTurn, ...(dataWeights && { dataWeights }), signals };
}
