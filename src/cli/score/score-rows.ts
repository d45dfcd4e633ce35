import type { RuleContext, Signal, SignalSource, TokenRule } from "../../contract/index.ts";
import { makeBatch, splitMicroBatches } from "../../data/batches.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { forward } from "../../model/forward.ts";
import type { Decoder } from "../../model/decoder.ts";
import { hashUniform } from "../../system/random.ts";
import { liveSource } from "../../training/sources.ts";
import { planSignals, readSignals, type SignalReading } from "../../training/signals.ts";
import { weighTogether } from "../../training/weigh.ts";
import type { TokenMeasure } from "./measures.ts";

/** One row as it is written; entry t of each list describes token t. */
export interface RowFacts {
  readonly rowId: number;
  readonly ids: Int32Array;
  readonly tokens: readonly string[];
  /** 1 = may be trained. */
  readonly response: Uint8Array;
  /** Of every token, nats; 0 for the first. */
  readonly nll: Float32Array;
  readonly historyNll?: Float32Array;
  readonly referenceNll?: Float32Array;
  /** Of response tokens; 0 on others. */
  readonly promptAttention: Float32Array;
  /** Of the distribution each token was drawn from, nats; 0 for the first. */
  readonly entropy: Float32Array;
  /** Under gates: of response tokens, nats; 0 on others. */
  readonly gatedNll?: Float32Array;
  /** Share of the key-value heads of all layers that keep the token. */
  readonly keptHeadShare?: Float32Array;
  /** Of response tokens, and its sigmoid; 0 on others. */
  readonly rewardScore?: Float32Array;
  readonly outcomeProbability?: Float32Array;
  /** What the data's author lets each token count, where a row of the data says so. */
  readonly dataWeights?: Float32Array;
  /** What the rule gives times that; 0 outside the response. */
  readonly weights: Float32Array;
}

export interface ScoreOptions {
  readonly model: Decoder;
  readonly history?: Decoder;
  readonly reference?: Decoder;
  /** Losses under a reference elsewhere, in the place of `reference`. */
  readonly served?: SignalSource<"referenceNll"> | undefined;
  readonly rule: TokenRule;
  /** What else is written of every token, behind the model's own numbers. */
  readonly measures: readonly TokenMeasure[];
  readonly tokens: TokenizedDataset;
  /** Readable text of a token. */
  piece(id: number): string;
  /** Whose attention on the prompt is measured. */
  readonly layer: number;
  /** Rows that a rule of scope `step` ranks over, in the dataset's order. */
  readonly batchSize: number;
  /** Rows computed at once. */
  readonly microBatchSize: number;
  readonly seed: number;
  /** Called after each forward pass; throws to stop. */
  onRows(rows: number): void | Promise<void>;
}

/** A batch with the columns that its measures give. */
interface MeasuredBatch extends SignalReading {
  readonly columns: Readonly<Record<string, Float32Array>>;
}

const written = ["nll", "entropy", "promptAttention"] as const;

/**
 * Scores a dataset under fixed models, row by row in its order. Rules of scope `dataset` see all rows at once, so
 * that nothing is yielded before everything is computed; for all others one step of rows is held in memory.
 * @throws UserError for a signal without a source, a loss that is not finite, or unusable weights
 */
export async function* scoreRows(options: ScoreOptions): AsyncGenerator<RowFacts, void, undefined> {
  const { model, history, reference, served, rule, measures, tokens, microBatchSize } = options;
  const sources = [
    ...(history === undefined ? [] : [liveSource("historyNll", history, { positions: "all" })]),
    ...(reference === undefined ? [] : [liveSource("referenceNll", reference, { positions: "all" })]),
    ...(served === undefined ? [] : [served]),
  ];
  const needs = [...new Set<Signal>([...rule.needs, ...written, ...sources.flatMap(({ gives }) => gives)])];
  const plan = planSignals({ ...rule, needs, promptAttentionLayer: options.layer }, sources);
  const stepRows = rule.scope === "dataset" ? tokens.length : options.batchSize;
  for (let first = 0, step = 0; first < tokens.length; first += stepRows, step++) {
    const rows = Array.from({ length: Math.min(stepRows, tokens.length - first) }, (_, i) => first + i);
    const parts = splitMicroBatches(tokens, rows, microBatchSize);
    const scored: MeasuredBatch[] = [];
    for (const part of parts) {
      const batch = makeBatch(tokens, part);
      using pass = forward(model, batch, { gradients: null, positions: "all", ...plan.pass });
      const signals = await readSignals(pass, batch, plan);
      const columns: Record<string, Float32Array> = {};
      for (const { measure } of measures) Object.assign(columns, await measure(batch));
      scored.push({ ...signals, columns });
      await options.onRows(part.length);
    }
    const seen = scored.map((part) => part.tokens);
    const { weights } = weighTogether(rule, seen, contextOf(options, step));
    yield* inOrder(options, rows, parts, scored, weights);
  }
}

/** A rule's warm-up, if it has one, belongs to a training and counts as over. */
function contextOf({ seed }: ScoreOptions, step: number): RuleContext {
  return { step, samplesSeen: Infinity, uniform: (rowId, token) => hashUniform(seed, rowId, token) };
}

/** The rows of a step in the dataset's order, without padding. */
function* inOrder(
  { tokens, piece }: ScoreOptions,
  rows: readonly number[],
  parts: readonly (readonly number[])[],
  scored: readonly MeasuredBatch[],
  weights: readonly Float32Array[],
): Generator<RowFacts> {
  const places = new Map(parts.flatMap((part, m) => part.map((index, b) => [index, [m, b] as const])));
  for (const index of rows) {
    const [m, b] = places.get(index)!;
    const { rowId, ids, response, dataWeights } = tokens.row(index);
    const { columns } = scored[m]!;
    const { width, signals } = scored[m]!.tokens;
    const cut = (values: Float32Array): Float32Array => values.subarray(b * width, b * width + ids.length);
    const second = (["historyNll", "referenceNll"] as const).filter((name) => signals[name] !== undefined);
    yield {
      rowId,
      ids,
      tokens: Array.from(ids, piece),
      response,
      nll: cut(signals.nll),
      ...Object.fromEntries(second.map((name) => [name, cut(signals[name])])),
      promptAttention: cut(signals.promptAttention),
      entropy: cut(signals.entropy),
      ...Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, cut(values)])),
      ...(dataWeights && { dataWeights }),
      weights: cut(weights[m]!),
    };
  }
}
