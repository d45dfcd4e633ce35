import type { Decoder } from "../../../model/decoder.ts";
import type { WeighedBatch } from "../iteration.ts";
import type { Rollouts } from "../rollouts.ts";

/** The token weights of each batch, `[rows * width]`, 0 outside responses. */
export type WeightsOf = (
  rollouts: Rollouts,
  batches: readonly WeighedBatch[],
) => Float32Array[] | Promise<Float32Array[]>;

/** The models that a source reads. */
export interface SourceModels {
  readonly policy: Decoder;
  /** Adapters that have learnt right and wrong responses, over the starting model; where a source contrasts them. */
  readonly contrasted?: { readonly positive: Decoder; readonly negative: Decoder } | undefined;
}
