import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { show } from "../fields.ts";
import { projectionsOf, type ProjectionName } from "../projections.ts";
import { moduleEnd, weightModules, type WeightModule } from "./modules.ts";
import { fittingKey, patternValues, savedTensors, targeting, type Target } from "./targets.ts";

/** What a low-rank adapter is made of. */
export interface LoraOptions {
  /** Rank of each change, from 1 to 4096. */
  rank: number;
  /** The change is scaled by `alpha / rank`. Default: twice the rank. */
  alpha?: number;
  /** Scales by `alpha / sqrt(rank)` instead, so that higher ranks learn as fast (rsLoRA, arXiv 2312.03732). */
  rsLora?: boolean;
  /**
   * Trains the lengths of the rows of each changed weight apart from their directions (DoRA, arXiv 2402.09353). As in
   * the paper and PEFT no gradient goes through the norm.
   */
  dora?: boolean;
  /** Share of a projection's inputs, from 0 to below 1, that the adapter does not see in a training pass. Default 0. */
  dropout?: number;
  /** Default: all that the model has. */
  projections?: readonly ProjectionName[];
  /** Numbers of the layers changed, from 0. Default: all. */
  layers?: readonly number[];
  /**
   * Instead of projections, as PEFT names them: `all-linear`, a pattern (as Python reads it) that fits whole names, or a
   * list of names or their last parts, among them also `embed_tokens` and `lm_head`.
   */
  targetModules?: string | readonly string[];
  /** Of these all but the ones named so. */
  excludeModules?: string | readonly string[];
  /** Other ranks for modules whose names end so, or fit the pattern; the first that fits counts. */
  rankPattern?: Readonly<Record<string, number>>;
  /** The same for alpha. */
  alphaPattern?: Readonly<Record<string, number>>;
  /** Modules whose names end so are trained as a whole, for example `embed_tokens`, `lm_head`, `norm`. */
  modulesToSave?: readonly string[];
  /** Names the random streams of fresh weights and of dropout. Default 0. */
  seed?: number;
}

type Always = "rank" | "alpha" | "rsLora" | "dropout" | "seed";
type WhereGiven =
  | "projections"
  | "layers"
  | "targetModules"
  | "dora"
  | "rankPattern"
  | "alphaPattern"
  | "modulesToSave";

/**
 * The options with what follows from them; as options they give the same again. Either `projections`, in their order in a
 * layer, and `layers`, rising; or `targetModules`, the names of all modules that are changed, where these
 * two do not say it.
 */
export type LoraSettings = Readonly<Required<Pick<LoraOptions, Always>> & Pick<LoraOptions, WhereGiven>>;

/** By what the product of the two small matrices is multiplied. */
function scalingOf({ alpha, rank, rsLora }: Pick<LoraSettings, "alpha" | "rank" | "rsLora">): number {
  return alpha / (rsLora ? Math.sqrt(rank) : rank);
}

const where = "LoRA options";
const told = { where, code: "invalid-option" } as const;

function check(fits: boolean, key: string, rule: string, found: unknown): void {
  if (!fits) throw new UserError("invalid-option", `${key} must be ${rule}, not ${show(found)}`, { where });
}

/** @throws UserError for an option out of range, naming it */
export function loraSettings(options: LoraOptions, config: DecoderConfig): LoraSettings {
  const { rank, rsLora = false, dropout = 0, seed = 0, dora = false, modulesToSave = [] } = options;
  const alpha = options.alpha ?? 2 * rank;
  checkNumbers({ ...options, alpha, dropout });
  const modules = weightModules(config);
  const targets = targetedModules(options, config, modules);
  const places = targets.map(({ name, place }) => {
    if (place === undefined) throw unchangeable(name);
    return place;
  });
  const projections = projectionsOf(config).filter((name) =>
    places.some((place) => place.kind === "projection" && place.projection === name),
  );
  const ofPlaces = places.flatMap((place) => (place.kind === "projection" ? [place.layer] : []));
  const layers = [...new Set(ofPlaces)].sort((a, b) => a - b);
  const isProduct = ofPlaces.length === places.length && places.length === projections.length * layers.length;
  const names = targets.map(({ name }) => name);
  checkPatterns(options, names);
  for (const saved of modulesToSave)
    check(savedTensors(config, [saved]).length > 0, "modulesToSave", "the ends of modules' names", saved);
  return {
    rank,
    alpha,
    rsLora,
    dropout,
    seed,
    ...(isProduct ? { projections, layers } : { targetModules: names }),
    ...(dora && { dora }),
    ...(hasKeys(options.rankPattern) && { rankPattern: options.rankPattern }),
    ...(hasKeys(options.alphaPattern) && { alphaPattern: options.alphaPattern }),
    ...(modulesToSave.length > 0 && { modulesToSave }),
  };
}

function checkNumbers({ rank, alpha, dropout, rankPattern, alphaPattern }: LoraOptions): void {
  for (const [key, value] of [["rank", rank] as const, ...named("rankPattern", rankPattern)])
    check(Number.isSafeInteger(value) && value >= 1 && value <= 4096, key, "a whole number from 1 to 4096", value);
  for (const [key, value] of [["alpha", alpha!] as const, ...named("alphaPattern", alphaPattern)])
    check(Number.isFinite(value) && value > 0, key, "a number above 0", value);
  check(dropout! >= 0 && dropout! < 1, "dropout", "a number from 0 to below 1", dropout);
}

function named(group: string, pattern: Readonly<Record<string, number>> = {}): (readonly [string, number])[] {
  return Object.entries(pattern).map(([key, value]) => [`${group}.${key}`, value]);
}

function checkPatterns({ rankPattern, alphaPattern }: LoraOptions, modules: readonly string[]): void {
  for (const [group, pattern] of Object.entries({ rankPattern, alphaPattern }))
    for (const key of Object.keys(pattern ?? {}))
      check(modules.some(fittingKey(key, told)), group, "of modules that the adapter changes", key);
}

function hasKeys(pattern: object | undefined): boolean {
  return Object.keys(pattern ?? {}).length > 0;
}

function targetedModules(
  options: LoraOptions,
  config: DecoderConfig,
  modules: readonly WeightModule[],
): WeightModule[] {
  checkPlaces(options, config);
  const { targetModules, excludeModules, modulesToSave, projections, layers } = options;
  const isOfAll = targetModules === undefined || targetModules === "all-linear";
  const named = isOfAll ? (projections ?? projectionsOf(config)).map((name) => moduleEnd(config, name)) : targetModules;
  const isNamed = (list: string | readonly string[]) =>
    targeting({ targetModules: list, excludeModules, layers, modulesToSave }, told);
  for (const name of Array.isArray(targetModules) ? (targetModules as readonly string[]) : [])
    check(modules.some(targeting({ targetModules: [name] }, told)), "targetModules", "names of modules", name);
  const found = modules.filter(isNamed(named));
  check(found.length > 0, targetModules === undefined ? "projections" : "targetModules", "at least one module", "none");
  return found;
}

function checkPlaces({ targetModules, projections, layers }: LoraOptions, config: DecoderConfig): void {
  if (targetModules !== undefined) {
    check(projections === undefined, "projections", "left out beside targetModules", projections);
    if (typeof targetModules === "string" && targetModules !== "all-linear")
      check(layers === undefined, "layers", "left out beside a pattern", layers);
  }
  check(projections === undefined || projections.length > 0, "projections", "at least one", "none");
  const known = projectionsOf(config);
  for (const name of projections ?? []) check(known.includes(name), "projections", `from ${known.join(", ")}`, name);
  check(layers === undefined || layers.length > 0, "layers", "at least one", "none");
  for (const layer of layers ?? []) {
    const exists = Number.isSafeInteger(layer) && layer >= 0 && layer < config.layers;
    check(exists, "layers", `from 0 to ${config.layers - 1}`, layer);
  }
}

function unchangeable(module: string): UserError {
  return new UserError("invalid-option", `${module} cannot be changed by a low-rank adapter`, {
    where,
    fix: "Name it in modulesToSave to train it as a whole.",
  });
}

/** What the adapter changes, in the order of the model. */
export function targetsOf(settings: LoraSettings, config: DecoderConfig): Target[] {
  const { rank, alpha, rsLora, projections, layers, targetModules, rankPattern, alphaPattern } = settings;
  const isTarget = ({ name, place }: WeightModule): boolean =>
    targetModules === undefined
      ? place?.kind === "projection" && projections!.includes(place.projection) && layers!.includes(place.layer)
      : targetModules.includes(name);
  const [rankOf, alphaOf] = [patternValues(rankPattern, rank, told), patternValues(alphaPattern, alpha, told)];
  return weightModules(config)
    .filter(isTarget)
    .map(({ name, place, tensors }) => {
      const own = rankOf(name);
      const scaling = scalingOf({ rank: own, alpha: alphaOf(name), rsLora });
      const [rows, columns] = tensors.get(`${name}.weight`) as [number, number];
      const [outputs, inputs] = place!.kind === "embedding" ? [columns, rows] : [rows, columns];
      return { module: name, place: place!, rank: own, scaling, inputs, outputs };
    });
}
