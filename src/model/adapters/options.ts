import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { show } from "../fields.ts";
import { projectionsOf, type ProjectionName } from "../projections.ts";

/** What a low-rank adapter is made of. */
export interface LoraOptions {
  /** Rank of each change, from 1 to 4096. */
  rank: number;
  /** The change is scaled by `alpha / rank`. Default: twice the rank. */
  alpha?: number;
  /** Scales by `alpha / sqrt(rank)` instead, so that higher ranks learn as fast (rsLoRA, arXiv 2312.03732). */
  rsLora?: boolean;
  /** Share of a projection's inputs, from 0 to below 1, that the adapter does not see in a training pass. Default 0. */
  dropout?: number;
  /** Default: all that the model has. */
  projections?: readonly ProjectionName[];
  /** Numbers of the layers changed, from 0. Default: all. */
  layers?: readonly number[];
  /** Names the random streams of fresh weights and of dropout. Default 0. */
  seed?: number;
}

/** All options given: projections in their order in a layer, layers rising. */
export type LoraSettings = Readonly<Required<LoraOptions>>;

/** By what the product of the two small matrices is multiplied. */
export function scalingOf({ alpha, rank, rsLora }: Pick<LoraSettings, "alpha" | "rank" | "rsLora">): number {
  return alpha / (rsLora ? Math.sqrt(rank) : rank);
}

/** @throws UserError for an option out of range, naming it */
export function loraSettings(options: LoraOptions, config: DecoderConfig): LoraSettings {
  const { rank, rsLora = false, dropout = 0, seed = 0 } = options;
  const alpha = options.alpha ?? 2 * rank;
  const projections = options.projections ?? projectionsOf(config);
  const layers = options.layers ?? [...Array(config.layers).keys()];
  const check = (fits: boolean, key: string, rule: string, found: unknown): void => {
    if (!fits)
      throw new UserError("invalid-option", `${key} must be ${rule}, not ${show(found)}`, { where: "LoRA options" });
  };
  check(Number.isSafeInteger(rank) && rank >= 1 && rank <= 4096, "rank", "a whole number from 1 to 4096", rank);
  check(Number.isFinite(alpha) && alpha > 0, "alpha", "a number above 0", alpha);
  check(dropout >= 0 && dropout < 1, "dropout", "a number from 0 to below 1", dropout);
  check(projections.length > 0, "projections", "at least one", "none");
  const known = projectionsOf(config);
  for (const name of projections) check(known.includes(name), "projections", `from ${known.join(", ")}`, name);
  check(layers.length > 0, "layers", "at least one", "none");
  for (const layer of layers) {
    const exists = Number.isSafeInteger(layer) && layer >= 0 && layer < config.layers;
    check(exists, "layers", `from 0 to ${config.layers - 1}`, layer);
  }
  return {
    rank,
    alpha,
    rsLora,
    dropout,
    seed,
    projections: known.filter((name) => projections.includes(name)),
    layers: [...new Set(layers)].sort((a, b) => a - b),
  };
}
