import type { TokenBatch } from "../../contract/index.ts";
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
