import type { Forward, Signal, SignalSource, TokenBatch, TokenRule, Tokens } from "../contract/index.ts";
import { UserError } from "../system/errors.ts";
import type { ForwardOptions } from "../model/index.ts";

/** Where the signals of a rule come from. */
export interface SignalPlan {
  readonly needs: readonly Signal[];
  /** What the forward pass computes beside log-probabilities. */
  readonly pass: Pick<ForwardOptions, "entropy" | "entropyTop20" | "promptAttention">;
  readonly sources: readonly SignalSource[];
}

/**
 * Finds a source for every signal that a rule needs.
 * @param promptAttentionLayer the layer whose attention is read, counted from the end where negative
 * @throws UserError for a signal that nothing supplies
 */
export function planSignals(
  { name, needs }: Pick<TokenRule, "name" | "needs">,
  sources: readonly SignalSource[],
  promptAttentionLayer = -1,
): SignalPlan {
  const fromPass: readonly Signal[] = ["nll", "entropy", "entropyTop20", "promptAttention"];
  const used = sources.filter(({ gives }) => gives.some((signal) => needs.includes(signal)));
  for (const signal of needs) {
    if (fromPass.includes(signal) || signal.startsWith("column:")) continue;
    if (used.some(({ gives }) => gives.includes(signal))) continue;
    throw new UserError(`The rule needs ${signal}, which nothing supplies.`, {
      where: name,
      fix: "Give a signal source that computes it (a history or reference model).",
    });
  }
  return {
    needs,
    pass: {
      ...(needs.includes("entropy") ? { entropy: true } : {}),
      ...(needs.includes("entropyTop20") ? { entropyTop20: true } : {}),
      ...(needs.includes("promptAttention") ? { promptAttention: { layer: promptAttentionLayer } } : {}),
    },
    sources: used,
  };
}

/** What a rule sees of a batch, and the losses of its response tokens. */
export interface ScoredBatch {
  readonly tokens: Tokens<Signal>;
  /** `[rows * width]`, 0 outside the response. */
  readonly nll: Float32Array;
}

/**
 * Reads a pass's results and asks the sources for the rest.
 * @throws UserError where a loss is not finite, naming row and token
 */
export async function readSignals(pass: Forward, batch: TokenBatch, plan: SignalPlan): Promise<ScoredBatch> {
  const names = ["logProb", ...(Object.keys(plan.pass) as (keyof SignalPlan["pass"])[])] as const;
  const read = await pass.read(names);
  const nll = read.logProb.map((value) => (value === 0 ? 0 : -value));
  requireFinite(nll, batch);
  const signals: Partial<Record<Signal, Float32Array>> = { ...read, nll };
  for (const source of plan.sources) Object.assign(signals, await source.compute(batch));
  for (const signal of plan.needs) {
    if (!signal.startsWith("column:")) continue;
    const column = batch.columns[signal.slice("column:".length)];
    if (column === undefined)
      throw new UserError(`The data have no per-token column "${signal.slice("column:".length)}".`, {
        fix: `Name it in data.tokenColumns; the data have ${Object.keys(batch.columns).join(", ") || "none"}.`,
      });
    signals[signal] = column;
  }
  const { rows, width, rowIds, response, endOfTurn } = batch;
  const needed = Object.fromEntries(plan.needs.map((signal) => [signal, signals[signal]!]));
  return { tokens: { rows, width, rowIds, response, endOfTurn, signals: needed as Tokens<Signal>["signals"] }, nll };
}

function requireFinite(nll: Float32Array, { width, rowIds }: TokenBatch): void {
  const bad = nll.findIndex((loss) => !Number.isFinite(loss));
  if (bad < 0) return;
  throw new UserError(`The loss is ${nll[bad]}.`, {
    where: `row ${rowIds[Math.floor(bad / width)]}, token ${bad % width}`,
    fix: "The weights have left the range of numbers: lower training.learningRate, or start from other weights.",
  });
}
