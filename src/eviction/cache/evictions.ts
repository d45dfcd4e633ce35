import { attentionOf } from "../../model/attention.ts";
import type { Decoder } from "../../model/decoder.ts";
import { gatedAttention } from "../../tensor/ops/index.ts";
import type { ExemptionOptions } from "../exemptions.ts";
import { decideGates } from "../gate-decision.ts";
import { gateInput, type GateNetwork } from "../gates/network.ts";
import { relaxGates } from "../gates/relax.ts";
import { promptExemptions } from "../gates/layout.ts";
import type { CacheBudget } from "../keep-budget.ts";
import type { EvictionScore } from "../key-score.ts";
import type { PrefillEviction } from "./ragged-cache.ts";
import { keepBest, oneRow, rankByGates, rankByScore } from "./rankings.ts";

type Shaped = Pick<Decoder, "config">;

/**
 * Keeps everything.
 */
export function keepEverything({ config }: Shaped): PrefillEviction {
  return {
    name: "full",
    decide: (length, facts) => facts.map(() => new Uint8Array(length * config.keyValueHeads).fill(1)),
  };
}

/**
 * Keeps what trained gates keep: p > threshold, and the exempt first and last tokens of the prompt. Evicted tokens are
 * hidden from the prompt's own later tokens too, as in training. With a `ratio`, for gates that foresee attention, the
 * prompt is read with all its entries, and of each head that share of them is then kept: the exempt ones and the best.
 *
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { gateEviction, raggedCache } from "tokensift/eviction/cache";
 * import { createGates } from "tokensift/eviction/gates";
 * import { generate, loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const gates = await createGates(model, { kind: "linear", initialKeep: 0.9 });
 * const cache = raggedCache(gateEviction(model, gates, { sinks: 1, window: 2 }));
 * const prompt = [5, 6, 7, 8, 9, 10, 11, 12];
 * const gated = await generate(model, [prompt], { maxNewTokens: 3, cache });
 * const plain = await generate(model, [prompt], { maxNewTokens: 3 });
 * gated[0]!.ids.join() === plain[0]!.ids.join(); //=> true
 * releaseEngine(); // fresh gates keep everything
 */
export function gateEviction(
  { config }: Shaped,
  gates: GateNetwork,
  options: ExemptionOptions & { readonly threshold?: number; readonly ratio?: number } = {},
): PrefillEviction {
  const { threshold = 0.5, ratio } = options;
  if (ratio !== undefined) {
    const { sinks = 4, window = 16 } = options;
    return keepBest({ config }, rankByGates(gates, { sinks, window }), { ratio, sinks, recent: window });
  }
  return {
    name: "gates",
    attend(layer, { q, k, v, input }) {
      const exemptions = promptExemptions(q.shape[0], options);
      const facts = gates.probabilities(layer, gateInput(gates.settings, { k, v, input }), exemptions);
      const value = relaxGates(facts, { threshold });
      return { output: gatedAttention(q, k, v, value, { ...exemptions, ...attentionOf(config, layer) }), facts };
    },
    decide(length, facts) {
      const { evictableTokens: evictable } = promptExemptions(length, options);
      const shape = { ...oneRow(length, config.keyValueHeads), evictable };
      return facts.map((read) => decideGates(read, shape, { threshold }).keep);
    },
  };
}

/**
 * Keeps the best entries of every layer and head under a published score, so many as the budget says. The prompt itself
 * is read with all its entries.
 *
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { createFrom, evictionScores } from "tokensift/eviction";
 * import { raggedCache, scoreEviction } from "tokensift/eviction/cache";
 * import { generate, loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const keyDiff = createFrom(evictionScores, { method: "key-diff" });
 * const cache = raggedCache(scoreEviction(model, keyDiff, { budget: 6, sinks: 1, recent: 2 }));
 * const [answer] = await generate(model, [[5, 6, 7, 8, 9, 10, 11, 12]], { maxNewTokens: 3, cache });
 * answer!.ids.length <= 3; //=> true
 * releaseEngine();
 */
export function scoreEviction(model: Shaped, score: EvictionScore, budget: CacheBudget): PrefillEviction {
  return keepBest(model, rankByScore(model, score), budget);
}
