/**
 * ssToken: self-modulated and semantic-aware token selection (https://arxiv.org/abs/2510.18250).
 *
 *     REL(i)   = L_history(i) - L_theta(i)                         large = the model has already improved here
 *     score(i) = gamma * minmax(REL)(i) + (1 - gamma) * Attn(i)    minmax over the response's own tokens
 *     keep the top rho of each response
 *
 * `Attn(i)` is the share of attention that the position holding token `i` gives to prompt tokens, mean over the
 * heads of one layer. Without a history the score is `Attn` alone. Ours: `order`, `minimumRange`, `keepBelow`,
 * `warmup.trains: all`. Where noise is new to the model REL is highest on it (see the notes): `order: lowest` keeps the
 * tokens on which the model has changed least.
 */
import type { Entry, RuleContext, TokenRule, Tokens } from "../contract/index.ts";
import { type ChoosingRule, keepTop } from "../ranking/index.ts";
import { sharedByChoosers } from "./chooser.ts";
import { excessLoss } from "./excess-loss.ts";
import { ssTokenDifferences, ssTokenNotes } from "./sstoken-differences.ts";
import {
  resolveSsToken,
  ssTokenPresets,
  ssTokenSchema,
  type SsTokenOptions,
  type SsTokenSettings,
} from "./sstoken-options.ts";

export type SsTokenSignal = "nll" | "historyNll" | "promptAttention";

/** The rule, with the settings that whoever supplies its signals must honour (`history`). */
export interface SsTokenRule extends ChoosingRule<SsTokenSignal> {
  readonly settings: SsTokenSettings;
}

/**
 * Weight 1 on the share of each response with the highest score (under `order: lowest` the lowest), 0 elsewhere, `[rows * width]`.
 * Losses are in nats, attention is a share of 1.
 *
 * @throws UserError for an impossible option; when weighing, for a signal that is not finite (naming row and token)
 * @see https://arxiv.org/abs/2510.18250
 * @example
 * import { ssToken } from "tokensift/selection";
 *
 * const layout = { rows: 1, width: 5, rowIds: Float64Array.of(0), endOfTurn: Uint8Array.of(0, 0, 0, 0, 1) };
 * const tokens = { ...layout, response: Uint8Array.of(0, 1, 1, 1, 1) };
 * const signals = {
 *   nll: Float32Array.of(0, 0.2, 2.5, 0.5, 0.1), // nats, under the model in training
 *   historyNll: Float32Array.of(0, 0.3, 2.4, 1.5, 0.2), // under an earlier state of it
 *   promptAttention: Float32Array.of(0, 0.6, 0.3, 0.5, 0.4), // share of attention on the prompt
 * };
 * const context = { step: 0, samplesSeen: 0, uniform: Math.random };
 * // the token that ends the turn, and the one that improved most
 * ssToken({ ratio: 0.5, gamma: 0.5 }).weigh({ ...tokens, signals }, context); //=> [0, 0, 0, 1, 1]
 */
export function ssToken(options: SsTokenOptions = {}): SsTokenRule {
  const settings = resolveSsToken(options);
  const { gamma, ratio, rounding, order, keepEndOfTurn, divideBy, keepBelow, warmup } = settings;
  const withHistory = settings.history.source !== "none" && (gamma > 0 || keepBelow !== undefined);
  const trainsAll = withHistory && warmup.trains === "all";
  const attends = !withHistory || gamma < 1 || (warmup.samples > 0 && !trainsAll) || settings.minimumRange > 0;
  const chooser = keepTop<SsTokenSignal>(
    {
      name: "sstoken",
      needs: [
        ...(withHistory ? (["nll", "historyNll"] as const) : []),
        ...(attends ? (["promptAttention"] as const) : []),
      ],
      score(tokens, context) {
        const byAttention = !withHistory || (!trainsAll && warmingUp(settings, context));
        const rel = byAttention ? undefined : relOf(tokens);
        return combine(tokens, rel, settings);
      },
    },
    { ratio, rounding, order, keepEndOfTurn, scope: "response" },
    { divideBy },
  );
  return {
    ...chooser,
    settings,
    promptAttentionLayer: settings.layer,
    weigh(tokens, context) {
      if (trainsAll && warmingUp(settings, context)) return Float32Array.from(tokens.response);
      const weights = chooser.weigh(tokens, context);
      if (keepBelow !== undefined && withHistory) relOf(tokens).forEach((x, i) => x < -keepBelow && (weights[i] = 1));
      return weights;
    },
    metrics: (tokens, _weights, context) =>
      withHistory ? relMetrics(tokens, settings, context) : { attentionOnly: 1 },
  };
}

const relOf = (tokens: Tokens<SsTokenSignal>) => excessLoss(tokens, "historyNll", "nll");
const warmingUp = ({ warmup }: SsTokenSettings, { samplesSeen }: RuleContext) => samplesSeen < warmup.samples;

/** The score; rows without `rel`, or with too small a range of it, are scored by attention alone. */
function combine(
  tokens: Tokens<SsTokenSignal>,
  rel: Float32Array | undefined,
  settings: SsTokenSettings,
): Float32Array {
  const { rows, width, response, signals } = tokens;
  const score = new Float32Array(rows * width);
  for (let b = 0; b < rows; b++) {
    const { min, max } = rel ? rangeOf(rel, tokens, b) : { min: 0, max: 0 };
    const gamma = rel && max - min >= settings.minimumRange ? settings.gamma : 0;
    for (let i = b * width; i < (b + 1) * width; i++) {
      if (!response[i]) continue;
      const scaled = gamma > 0 ? (gamma * (rel![i]! - min)) / (max - min + 1e-8) : 0;
      score[i] = scaled + (gamma < 1 ? (1 - gamma) * signals.promptAttention[i]! : 0);
    }
  }
  return score;
}

/** Least and greatest REL of a row's response; `min` exceeds `max` in a row without one. */
function rangeOf(rel: Float32Array, { width, response }: Tokens, row: number): { min: number; max: number } {
  let [min, max] = [Infinity, -Infinity];
  for (let i = row * width; i < (row + 1) * width; i++) {
    if (!response[i]) continue;
    min = Math.min(min, rel[i]!);
    max = Math.max(max, rel[i]!);
  }
  return { min, max };
}

/** Raw REL in the step, so that one can see when it starts to mean something, over rows with a response. */
function relMetrics(tokens: Tokens<SsTokenSignal>, settings: SsTokenSettings, context: RuleContext) {
  const rel = relOf(tokens);
  const ranges = Array.from({ length: tokens.rows }, (_, b) => rangeOf(rel, tokens, b)).filter((r) => r.min <= r.max);
  const mean = (values: number[]) => (values.length ? values.reduce((sum, x) => sum + x, 0) / values.length : 0);
  const { warmup, gamma } = settings;
  const byAttention = (warmup.trains === "by-attention" && warmingUp(settings, context)) || gamma === 0;
  return {
    relRange: mean(ranges.map((r) => r.max - r.min)),
    relMin: ranges.length ? Math.min(...ranges.map((r) => r.min)) : 0,
    relMax: ranges.length ? Math.max(...ranges.map((r) => r.max)) : 0,
    attentionOnly: mean(ranges.map((r) => Number(byAttention || r.max - r.min < settings.minimumRange))),
  };
}

export const ssTokenEntry = {
  name: "sstoken",
  summary: "Trains the tokens on which the model has improved over an earlier state and that attend to the prompt.",
  formula: "keep the top rho of gamma * minmax(L_history(i) - L(i)) + (1 - gamma) * Attn(i), within each response",
  paper: "https://arxiv.org/abs/2510.18250",
  options: ssTokenSchema,
  presets: ssTokenPresets,
  differences: ssTokenDifferences,
  notes: ssTokenNotes,
  takes: sharedByChoosers,
  create: ssToken,
} as const satisfies Entry<TokenRule, SsTokenOptions>;
