import { UserError } from "../../system/errors.ts";
import { readFields, show, type Fields } from "../fields.ts";
import type { LoraSettings } from "./options.ts";

/** What `adapter_config.json` says about the matrices beside it. */
export interface PeftConfig extends Pick<LoraSettings, "rank" | "alpha" | "rsLora" | "dropout"> {
  /** The model below it: a path, or a name on a hub. */
  readonly baseModel: string | undefined;
  /** Whether PEFT would give this module the adapter's matrices. */
  targets(module: string): boolean;
}

/** Keys that change what an adapter computes, and that this library does not know. Absent, null, false or empty is fine. */
const unsupported = [
  "alora_invocation_tokens",
  "alpha_pattern",
  "arrow_config",
  "fan_in_fan_out",
  "kasa_config",
  "layer_replication",
  "lora_bias",
  "modules_to_save",
  "monteclora_config",
  "rank_pattern",
  "target_parameters",
  "trainable_token_indices",
  "use_bdlora",
  "use_dora",
  "use_qalora",
  "velora_config",
];

/** First values that leave the base model's weights alone; others (PiSSA, OLoRA, LoftQ, ...) change them as well. */
const harmlessStarts: readonly unknown[] = [undefined, true, false, "gaussian", "eva", "orthogonal"];

/**
 * Reads PEFT's `adapter_config.json` of a LoRA adapter.
 * @param where the file, for messages
 * @throws UserError for other kinds of adapters and for settings under which PEFT would compute something else
 */
export function parsePeftConfig(json: unknown, where: string): PeftConfig {
  const fields = readFields(json, where, "invalid-adapter");
  const refuse = (what: string, fix: string): never => {
    throw new UserError("unsupported-adapter", what, { where, fix });
  };
  const kind = fields.raw("peft_type");
  if (kind !== "LORA") refuse(`the adapter is of type ${show(kind)}`, "Supported is LORA.");
  for (const key of unsupported)
    if (!isOff(fields.raw(key))) refuse(`${key} is set, which is not supported`, "Merge the adapter with PEFT.");
  const bias = fields.text("bias", "none");
  if (bias !== "none")
    refuse(`bias is ${show(bias)}: trained biases are not supported`, "Merge the adapter with PEFT.");
  const start = fields.raw("init_lora_weights");
  if (!harmlessStarts.includes(start))
    refuse(
      `init_lora_weights is ${show(start)}, which changes the base model's weights`,
      "Convert the adapter with PEFT.",
    );
  return {
    rank: fields.integer("r", { min: 1, max: 4096 }),
    alpha: fields.number("lora_alpha", { min: Number.MIN_VALUE }),
    rsLora: fields.boolean("use_rslora", false),
    dropout: fields.number("lora_dropout", { min: 0, max: 1 - Number.EPSILON, fallback: 0 }),
    targets: targetsOf(fields, where),
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

/** A list names modules by their last parts; a text is a pattern, of which the matrices that were saved are the result. */
function targetsOf(fields: Fields, where: string): PeftConfig["targets"] {
  const targets = fields.raw("target_modules");
  if (targets === undefined || typeof targets === "string") return () => true;
  if (!Array.isArray(targets) || !targets.every((name) => typeof name === "string"))
    throw new UserError(
      "invalid-adapter",
      `target_modules must be a list of names or a pattern, not ${show(targets)}`,
      { where },
    );
  return (module) => targets.some((name) => module === name || module.endsWith(`.${name}`));
}

/** The text of `adapter_config.json` as PEFT would write it. */
export function peftConfigText(
  settings: LoraSettings,
  { layers, baseModel }: { layers: number; baseModel: string | undefined },
): string {
  const config = {
    alpha_pattern: {},
    base_model_name_or_path: baseModel ?? null,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: settings.layers.length < layers ? settings.layers : null,
    lora_alpha: settings.alpha,
    lora_dropout: settings.dropout,
    modules_to_save: null,
    peft_type: "LORA",
    r: settings.rank,
    rank_pattern: {},
    target_modules: settings.projections.map((name) => `${name}_proj`),
    task_type: "CAUSAL_LM",
    use_dora: false,
    use_rslora: settings.rsLora,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
