import { UserError, type ErrorCode } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { show } from "../fields.ts";
import { weightModules, type Place, type WeightModule } from "./modules.ts";
import { pythonPattern } from "./python-pattern.ts";

/** Which modules PEFT changes, in its own terms. */
export interface TargetSpec {
  /** `all-linear`, a pattern that fits whole names, or names and their last parts. */
  targetModules: string | readonly string[];
  excludeModules?: string | readonly string[] | undefined;
  layers?: readonly number[] | undefined;
  /** Names of the lists that hold the layers. Default: any. */
  layersPattern?: readonly string[] | undefined;
  modulesToSave?: readonly string[] | undefined;
}

/** For messages about patterns. */
export interface Told {
  where: string;
  code: ErrorCode;
}

/** Whether PEFT 0.21 (`check_target_module_exists`) would change the module. */
export function targeting(spec: TargetSpec, { where, code }: Told): (module: WeightModule) => boolean {
  const { targetModules, excludeModules, layers = [], layersPattern = [], modulesToSave = [] } = spec;
  const names = (list: string | readonly string[], key: string): ((name: string) => boolean) => {
    if (typeof list !== "string") return (name) => list.some((end) => name === end || name.endsWith(`.${end}`));
    const pattern = pythonPattern(list, `${where}: ${key}`, code);
    return (name) => pattern.test(name);
  };
  for (const list of layersPattern) requirePlainName(list, { where, code });
  const isAllLinear = typeof targetModules === "string" && targetModules.toLowerCase() === "all-linear";
  const isNamed = isAllLinear ? () => false : names(targetModules, "targetModules");
  const isExcluded = excludeModules === undefined ? () => false : names(excludeModules, "excludeModules");
  const inLayer = (name: string): boolean => {
    if (layers.length === 0 || typeof targetModules === "string" || targetModules.includes(name)) return true;
    const lists = layersPattern.length === 0 ? ["[^.]*"] : layersPattern;
    const index = lists.map((list) => new RegExp(`^(?:.*?\\.)?${list}\\.(\\d+)\\.`).exec(name)?.[1]).find(Boolean);
    return index !== undefined && layers.includes(Number(index));
  };
  const isSaved = (name: string): boolean => modulesToSave.some((saved) => `.${name}.`.includes(`.${saved}.`));
  return ({ name, place }) =>
    !isExcluded(name) &&
    !isSaved(name) &&
    (isAllLinear ? place?.kind === "projection" : isNamed(name) && inLayer(name));
}

/** PEFT takes a pattern as well, into one of its own in which parts of it would mean something else. */
function requirePlainName(list: string, { where, code }: Told): void {
  if (/^\w{1,200}(?:\.\w{1,200}){0,20}$/.test(list)) return;
  throw new UserError(code, `layers_pattern has ${show(list)}, which is not a plain name`, {
    where,
    fix: "Give the name of the list that holds the layers, such as layers or h, or several in a list.",
  });
}

/** What a pattern gives modules, or `otherwise`: the first value whose key is the end of the module's name. */
export function patternValues(
  pattern: Readonly<Record<string, number>> = {},
  otherwise: number,
  told: Told,
): (module: string) => number {
  const entries = Object.entries(pattern).map(([key, value]) => ({ fits: fittingKey(key, told), value }));
  return (module) => entries.find(({ fits }) => fits(module))?.value ?? otherwise;
}

/** Whether the key of a `rank_pattern` is the end of a module's name, or a pattern of such an end. */
export function fittingKey(key: string, { where, code }: Told): (module: string) => boolean {
  const pattern = pythonPattern(`(.*\\.)?(${key})`, where, code);
  return (module) => pattern.test(module);
}

/** A part of the model that is trained as a whole, beside the changes. */
export interface SavedTensor {
  /** Its name in the model. */
  readonly name: string;
  readonly shape: readonly number[];
}

/** The weights of all modules whose name ends with one of these, as PEFT finds them (`modules_to_save`). */
export function savedTensors(config: DecoderConfig, modulesToSave: readonly string[]): SavedTensor[] {
  return weightModules(config).flatMap(({ name, tensors }) => {
    const parts = name.split(".");
    const isSaved = parts.some((_, i) =>
      modulesToSave.some((end) =>
        parts
          .slice(0, i + 1)
          .join(".")
          .endsWith(end),
      ),
    );
    return isSaved ? [...tensors].map(([tensor, shape]) => ({ name: tensor, shape })) : [];
  });
}

/** A low-rank change that an adapter makes. */
export interface Target {
  /** The module's name. */
  readonly module: string;
  readonly place: Place;
  readonly rank: number;
  /** By what the product of the two matrices is multiplied. */
  readonly scaling: number;
  /** Numbers that go in, of an embedding the vocabulary. */
  readonly inputs: number;
  readonly outputs: number;
}
