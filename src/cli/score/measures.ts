import type { TokenBatch } from "../../contract/index.ts";
import { evaluateCaches } from "../../evaluation/caches/evaluate-caches.ts";
import { rankByGates } from "../../eviction/cache/rankings.ts";
import { gatedBatch } from "../../eviction/gates/layout.ts";
import { gatedPass } from "../../eviction/gates/gated-pass.ts";
import { decideGates } from "../../eviction/gate-decision.ts";
import { forward } from "../../model/forward.ts";
import type { Decoder } from "../../model/decoder.ts";
import type { Model } from "../../model/model.ts";
import { responseScores } from "../../reward/response-scores.ts";
import type { ScoreAt } from "../../reward/scores.ts";
import type { TokenRewardModel } from "../../reward/model/token-reward-model.ts";
import type { OpenGates } from "../open-gates.ts";

/** Numbers per token beside those of the model itself. */
export interface TokenMeasure {
  /** Names of its columns, in the order in which they are written. */
  readonly columns: readonly string[];
  /** Of each column `[rows * width]`. */
  measure(batch: TokenBatch): Promise<Readonly<Record<string, Float32Array>>>;
}

/** The loss of response tokens under the gates' decisions, and the share of key-value heads that keep a token. */
export function gateMeasure(model: Decoder, { gates, use }: Pick<OpenGates, "gates" | "use">): TokenMeasure {
  const attention = gatedPass(model, gates, use);
  return {
    columns: ["gatedNll", "keptHeadShare"],
    async measure(batch) {
      using pass = forward(model, batch, { gradients: null, positions: "all", attention });
      const { logProb, gates: probabilities } = await pass.read(["logProb", "gates"]);
      const shape = gatedBatch(batch, model.config.keyValueHeads, use.rows, use);
      const keep = probabilities.map((layer) => decideGates(layer, shape, use).keep);
      return {
        gatedNll: logProb.map((value, i) => (batch.response[i] && value !== 0 ? -value : 0)),
        keptHeadShare: keptShare(keep, batch, shape.heads),
      };
    },
  };
}

/**
 * The same of gates that foresee attention. They choose once a prompt has been read, which ends where the first response
 * begins; what follows is read over the entries that are left, and stays.
 */
export function rankedGateMeasure(model: Decoder, { gates, use }: Pick<OpenGates, "gates" | "use">): TokenMeasure {
  const { sinks, window, ratio } = use;
  const budget = { ratio: ratio!, sinks, recent: window };
  const candidates = [{ name: "gates", ranking: rankByGates(gates, use), budget }];
  const heads = model.config.layers * model.config.keyValueHeads;
  return {
    columns: ["gatedNll", "keptHeadShare"],
    async measure({ rows, width, lengths, ids, response }) {
      const gatedNll = new Float32Array(rows * width);
      const keptHeadShare = new Float32Array(rows * width);
      const problems = Array.from({ length: rows }, (_, row) => {
        const own = ids.subarray(row * width, row * width + lengths[row]!);
        const answer = response.subarray(row * width, row * width + own.length).indexOf(1);
        const end = answer < 0 ? own.length : answer;
        return { row, context: [...own.subarray(0, end)], reference: [...own.subarray(end)] };
      });
      await evaluateCaches(model, problems, candidates, {
        force: true,
        onOutcome(_, row, { keep, reference }) {
          const { length } = problems[row]!.context;
          keptHeadShare.fill(1, row * width + length, row * width + lengths[row]!);
          for (const flags of keep)
            flags.forEach((flag, i) => {
              keptHeadShare[row * width + Math.floor((i * length) / flags.length)]! += flag / heads;
            });
          reference!.forEach(({ logProb }, t) => {
            const i = row * width + length + t;
            if (response[i]) gatedNll[i] = -logProb;
          });
        },
      });
      return { gatedNll, keptHeadShare };
    },
  };
}

/** Of every token, `[rows * width]`; 0 on padding. Rows of one token have no pass, and nothing to evict. */
function keptShare(keep: readonly Uint8Array[], { rows, width, lengths }: TokenBatch, heads: number): Float32Array {
  const share = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++)
    for (let i = row * width; i < row * width + lengths[row]!; i++) {
      let kept = 0;
      for (const layer of keep) for (let head = 0; head < heads; head++) kept += layer[i * heads + head]!;
      share[i] = keep.length === 0 ? 1 : kept / (heads * keep.length);
    }
  return share;
}

/** What a token reward model thinks of response tokens. */
export function rewardMeasure(reward: TokenRewardModel<Model>, scoreAt: ScoreAt): TokenMeasure {
  return {
    columns: ["rewardScore", "outcomeProbability"],
    async measure(batch) {
      using pass = reward.pass(batch, null);
      const { score, probability } = responseScores((await pass.read(["score"])).score, batch, { scoreAt });
      return { rewardScore: score, outcomeProbability: probability };
    },
  };
}
