import { UserError } from "../../system/errors.ts";
import { isRecord } from "../../system/is-record.ts";
import type { DecoderConfig } from "../config.ts";
import { readFields, show, type Fields } from "../fields.ts";
import { familyOf } from "../families/index.ts";
import { moduleEnd } from "./modules.ts";
import type { LoraSettings } from "./options.ts";
import type { TargetSpec } from "./targets.ts";

/** Of `adapter_config.json` what an adapter's settings say as well. */
type SaidOfSettings = Required<
  Pick<
    LoraSettings,
    "rank" | "alpha" | "rsLora" | "dropout" | "dora" | "rankPattern" | "alphaPattern" | "modulesToSave"
  >
>;

/** What `adapter_config.json` says about the tensors beside it. */
export interface PeftConfig {
  readonly settings: SaidOfSettings;
  /** Which modules are changed. */
  readonly targets: TargetSpec;
  /** Whether a tied output projection goes along with the embedding. */
  readonly ensuresTying: boolean;
  /** The model below it: a path, or a name on a hub. */
  readonly baseModel: string | undefined;
}

/** Keys that are read here. */
const read = [
  "peft_type",
  "base_model_name_or_path",
  "r",
  "lora_alpha",
  "lora_dropout",
  "use_rslora",
  "use_dora",
  "bias",
  "init_lora_weights",
  "target_modules",
  "exclude_modules",
  "layers_to_transform",
  "layers_pattern",
  "rank_pattern",
  "alpha_pattern",
  "modules_to_save",
  "ensure_weight_tying",
];

/** Keys that say nothing about what is computed here: origin, how to load, and settings of what other keys switch on. */
const withoutEffect = [
  "auto_mapping",
  "corda_config", // of init_lora_weights "corda"
  "eva_config", // of init_lora_weights "eva"; the ranks that it finds are in rank_pattern
  "fan_in_fan_out", // how the weight below is stored, which is known
  "inference_mode",
  "loftq_config", // of init_lora_weights "loftq"
  "lora_ga_config", // of init_lora_weights "lora_ga"
  "megatron_core",
  "peft_version",
  "qalora_group_size", // of use_qalora
  "revision",
  "runtime_config",
  "task_type",
];

/** First values that leave the base model's weights alone; others (PiSSA, OLoRA, LoftQ, ...) change them as well. */
const harmlessStarts: readonly unknown[] = [undefined, true, false, "gaussian", "eva", "orthogonal"];

const mergeFix = "Merge the adapter with PEFT (merge_and_unload), and use the merged model.";

/**
 * Reads PEFT's `adapter_config.json` of a LoRA adapter. Keys that are absent, null, false or empty are as good as not
 * there; every other key is honoured, known to be without effect, or refused by its name.
 * @param where the file, for messages
 * @throws UserError for other kinds of adapters and for settings under which PEFT would compute something else
 */
export function parsePeftConfig(json: unknown, where: string): PeftConfig {
  const fields = readFields(json, where, "invalid-adapter");
  const refuse = (what: string, fix = mergeFix): never => {
    throw new UserError("unsupported-adapter", what, { where, fix });
  };
  const kind = fields.raw("peft_type");
  if (kind !== "LORA") refuse(`the adapter is of type ${show(kind)}`, "Supported is LORA.");
  const known = new Set([...read, ...withoutEffect]);
  for (const [key, value] of Object.entries(json as Record<string, unknown>))
    if (!known.has(key) && !isOff(value)) refuse(`${show(key)} is set, which is not supported`);
  const bias = fields.text("bias", "none");
  if (bias !== "none") refuse(`bias is ${show(bias)}: trained biases are not supported`);
  const start = fields.raw("init_lora_weights");
  if (!harmlessStarts.includes(start))
    refuse(
      `init_lora_weights is ${show(start)}, which changes the base model's weights or what is trained`,
      "Save it again with PEFT's save_pretrained(..., path_initial_model_for_weight_conversion=...), or merge it.",
    );
  const modulesToSave = namesIn(fields, "modules_to_save", where) ?? [];
  return {
    settings: {
      rank: fields.integer("r", { min: 1, max: 4096 }),
      alpha: fields.number("lora_alpha", { min: Number.MIN_VALUE }),
      rsLora: fields.boolean("use_rslora", false),
      dora: fields.boolean("use_dora", false),
      dropout: fields.number("lora_dropout", { min: 0, max: 1 - Number.EPSILON, fallback: 0 }),
      rankPattern: patternOf(fields, "rank_pattern", (own, key) => own.integer(key, { min: 1, max: 4096 })),
      alphaPattern: patternOf(fields, "alpha_pattern", (own, key) => own.number(key, { min: Number.MIN_VALUE })),
      modulesToSave,
    },
    targets: targetsIn(fields, modulesToSave, where),
    ensuresTying: fields.boolean("ensure_weight_tying", false),
    baseModel: baseOf(fields),
  };
}

function baseOf(fields: Fields): string | undefined {
  const base = fields.raw("base_model_name_or_path");
  return typeof base === "string" && base !== "" ? base : undefined;
}

function isOff(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === false;
}

function patternOf(
  fields: Fields,
  key: string,
  value: (own: Fields, name: string) => number,
): Readonly<Record<string, number>> {
  const own = fields.record(key);
  const raw = fields.raw(key);
  if (own === undefined || !isRecord(raw)) return {};
  return Object.fromEntries(Object.keys(raw).map((name) => [name, value(own, name)]));
}

function targetsIn(fields: Fields, modulesToSave: readonly string[], where: string): TargetSpec {
  const targetModules = textOrNames(fields, "target_modules", where);
  if (targetModules === undefined)
    throw new UserError(
      "unsupported-adapter",
      "target_modules is not set: PEFT would take what is usual for the family",
      { where, fix: "Name the modules in it, as the tensors of the adapter do, for example q_proj and v_proj." },
    );
  const layersPattern = textOrNames(fields, "layers_pattern", where) ?? [];
  return {
    targetModules,
    modulesToSave,
    excludeModules: textOrNames(fields, "exclude_modules", where),
    layers: layersIn(fields, where),
    layersPattern: layersPattern === "" ? [] : [layersPattern].flat(),
  };
}

function layersIn(fields: Fields, where: string): readonly number[] | undefined {
  const given = fields.raw("layers_to_transform");
  if (given === undefined) return undefined;
  const layers: unknown[] = Array.isArray(given) ? given : [given];
  if (layers.every((layer) => typeof layer === "number" && Number.isSafeInteger(layer))) return layers as number[];
  throw new UserError(
    "invalid-adapter",
    `layers_to_transform must be a layer's number or a list of such, not ${show(given)}`,
    { where },
  );
}

function textOrNames(fields: Fields, key: string, where: string): string | readonly string[] | undefined {
  const given = fields.raw(key);
  return typeof given === "string" ? given : namesIn(fields, key, where);
}

function namesIn(fields: Fields, key: string, where: string): readonly string[] | undefined {
  const names = fields.raw(key);
  if (names === undefined) return undefined;
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  throw new UserError("invalid-adapter", `${key} must be a list of names or a pattern, not ${show(names)}`, { where });
}

/** The text of `adapter_config.json` as PEFT would write it. */
export function peftConfigText(
  settings: LoraSettings,
  { config, baseModel }: { config: DecoderConfig; baseModel: string | undefined },
): string {
  const { projections, layers, targetModules, rankPattern = {}, alphaPattern = {}, modulesToSave = null } = settings;
  const values = {
    alpha_pattern: alphaPattern,
    base_model_name_or_path: baseModel ?? null,
    bias: "none",
    exclude_modules: null,
    fan_in_fan_out: familyOf(config).layout.transposed ?? false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: targetModules === undefined && layers!.length < config.layers ? layers : null,
    lora_alpha: settings.alpha,
    lora_dropout: settings.dropout,
    modules_to_save: modulesToSave,
    peft_type: "LORA",
    r: settings.rank,
    rank_pattern: rankPattern,
    target_modules: targetModules ?? projections!.map((name) => moduleEnd(config, name)),
    task_type: "CAUSAL_LM",
    use_dora: settings.dora ?? false,
    use_rslora: settings.rsLora,
  };
  return `${JSON.stringify(values, null, 2)}\n`;
}
