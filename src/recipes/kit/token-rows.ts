import type { Signal, SignalSource, TokenRule, TokenScore } from "../../contract/index.ts";
import { makeBatch } from "../../data/batches.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { forward } from "../../model/forward.ts";
import type { Model } from "../../model/model.ts";
import { hashUniform } from "../../system/random.ts";
import type { Tokenizer } from "../../text/index.ts";
import { planSignals, readSignals } from "../../training/signals.ts";
import { weighTogether } from "../../training/weigh.ts";

/** One training row as a rule weighs it: what the report's token pictures are drawn from. */
export interface WeighedRow {
  rowId: number;
  pieces: string[];
  response: number[];
  weights: number[];
  /** Null on tokens without a score. */
  score: (number | null)[];
  scoreName: string;
  /** 1 = ends a turn. */
  endOfTurn?: number[];
  /** What this rule and others read, null outside the response. */
  signals?: Record<string, (number | null)[]>;
  /** Labels, where the data have a column `noise`. */
  noise?: number[];
  /** Nats per response token, by which the row was chosen to be pictured; and before training. */
  loss?: number;
  lossBefore?: number;
}

/** A response behind its prompt, whose tokens have no numbers; without `weights` all of the response's are 1. */
export function answerRow(
  { rowId, prompt, ids }: { rowId: number; prompt: readonly number[]; ids: readonly number[] },
  tokenizer: Pick<Tokenizer, "piece">,
  numbers: { score: readonly (number | null)[]; scoreName: string; weights?: readonly number[] | undefined },
): WeighedRow {
  const before = <T>(value: T): T[] => prompt.map(() => value);
  const ones = ids.map(() => 1);
  return {
    rowId,
    pieces: [...prompt, ...ids].map((id) => tokenizer.piece(id)),
    response: [...before(0), ...ones],
    weights: [...before(0), ...(numbers.weights ?? ones)],
    score: [...before(null), ...numbers.score],
    scoreName: numbers.scoreName,
  };
}

/** What the page shows of a token, and lets other rules read, whatever the run's own rule reads. */
const shown: readonly Signal[] = ["nll", "entropy", "promptAttention"];

export interface WeighOptions {
  rule: TokenRule;
  sources: readonly SignalSource[];
  /** Where the run stands, for rules that depend on it. */
  step: number;
  samplesSeen: number;
  seed: number;
}

/** Weighs rows of a dataset as one batch under the model as it is. */
export async function weighRows(
  model: Model,
  tokens: TokenizedDataset,
  indices: readonly number[],
  { rule, sources, step, samplesSeen, seed }: WeighOptions,
): Promise<WeighedRow[]> {
  const batch = makeBatch(tokens, indices);
  const needs = [...new Set<Signal>([...rule.needs, ...shown])];
  const plan = planSignals({ ...rule, needs }, sources);
  using pass = forward(model, batch, { gradients: null, ...plan.pass });
  const { tokens: seen, nll } = await readSignals(pass, batch, plan);
  const signals = seen.signals as Readonly<Record<Signal, Float32Array>>;
  const context = { step, samplesSeen, uniform: (rowId: number, t: number) => hashUniform(seed, rowId, t) };
  const weights = weighTogether(rule, [seen], context).weights[0]!;
  const score = (rule as { score?: TokenScore }).score;
  const scores = score?.score(seen, context) ?? nll;
  const labels = batch.columns["noise"];
  return indices.map((index, row) => {
    const length = tokens.lengthOf(index);
    const of = (values: ArrayLike<number>): number[] =>
      Array.from({ length }, (_, t) => values[row * batch.width + t]!);
    const response = of(batch.response);
    return {
      rowId: tokens.rowIds[index]!,
      pieces: of(batch.ids).map((id) => model.tokenizer.piece(id)),
      response,
      weights: of(weights),
      score: of(scores).map((value, t) => (response[t] === 1 ? value : null)),
      scoreName: score === undefined ? "loss" : `score of ${rule.name}`,
      endOfTurn: of(batch.endOfTurn),
      signals: Object.fromEntries(
        needs.map((name) => [name, of(signals[name]!).map((value, t) => (response[t] === 1 ? value : null))]),
      ),
      ...(labels && { noise: of(labels) }),
    };
  });
}
