import { UserError } from "../system/errors.ts";
import type { DecoderConfig } from "./config.ts";
import { familyNamed, familyOf, ggufFamilyNamed, type GgufTensorFacts } from "./families/index.ts";
import { readFields } from "./fields.ts";

/**
 * Reads a Hugging Face `config.json` (transformers 4 and 5 dialects) of any family. Sizes and constants left out take the
 * values that transformers gives them; special tokens left out are none.
 * @param where the file, for messages
 * @throws UserError for an unknown family, and for anything that this decoder would compute differently
 */
export function parseDecoderConfig(json: unknown, where: string): DecoderConfig {
  const fields = readFields(json, where);
  const { modelType, parse } = familyNamed(fields.raw("model_type"), where);
  return checked({ family: modelType, ...parse(fields, where) }, where);
}

/**
 * The configuration from the key-values of a GGUF file.
 * @param where the file, for messages
 * @throws UserError for an unknown architecture, and for anything that this decoder would compute differently
 */
export function decoderConfigFromGguf(
  metadata: Record<string, unknown>,
  facts: GgufTensorFacts,
  where: string,
): DecoderConfig {
  const fields = readFields(metadata, where);
  const { modelType, gguf } = ggufFamilyNamed(fields.raw("general.architecture"), where);
  const header = { fields, where, key: (name: string) => `${gguf.architecture}.${name}` };
  return checked({ family: modelType, ...gguf.parse(header, facts) }, where);
}

/** Relations between sizes that every dialect must keep. */
function checked(config: DecoderConfig, where: string): DecoderConfig {
  const { width, heads, keyValueHeads, headSize } = config;
  if (heads % keyValueHeads !== 0) {
    throw new UserError(
      "invalid-model-config",
      `${heads} query heads cannot share ${keyValueHeads} key-value heads evenly`,
      { where },
    );
  }
  if (!Number.isInteger(headSize))
    throw new UserError("invalid-model-config", `a width of ${width} does not split into ${heads} heads`, { where });
  if (headSize % 2 !== 0 && config.rope !== undefined)
    throw new UserError("invalid-model-config", `the head size ${headSize} must be even to be rotated`, { where });
  return config;
}

/** `config.json` of the model's family, in a form that transformers 5 and 4 both read. The weights are said to be `dtype`. */
export function writeDecoderConfig(config: DecoderConfig, dtype = "float32"): Record<string, unknown> {
  const { architectures, modelType, write } = familyOf(config);
  return { architectures, model_type: modelType, ...write(config), dtype, torch_dtype: dtype };
}

/** `writeDecoderConfig` as text. */
export function decoderConfigText(config: DecoderConfig, dtype?: string): string {
  return configText(writeDecoderConfig(config, dtype));
}

const realKeys = [
  "attention_dropout",
  "attention_factor",
  "attn_logit_softcapping",
  "beta_fast",
  "beta_slow",
  "factor",
  "final_logit_softcapping",
  "high_freq_factor",
  "initializer_range",
  "layer_norm_epsilon",
  "low_freq_factor",
  "partial_rotary_factor",
  "rms_norm_eps",
  "rope_local_base_freq",
  "rope_theta",
];

/**
 * A configuration as text: real numbers keep a decimal point (`1.0`), which transformers 5 insists on.
 * @param moreRealKeys keys of others
 */
export function configText(json: Record<string, unknown>, moreRealKeys: Iterable<string> = []): string {
  const keys = new Set([...realKeys, ...moreRealKeys].map((key) => JSON.stringify(key)));
  const lines = JSON.stringify(json, null, 2).split("\n");
  return `${lines.map((line) => withPoint(line, keys)).join("\n")}\n`;
}

/** A line with a whole number behind one of these keys gets a decimal point. */
function withPoint(line: string, keys: ReadonlySet<string>): string {
  const end = line.lastIndexOf(": ");
  const number = line.slice(end + 2);
  if (end < 0 || number.length > 32 || !/^-?\d+,?$/.test(number) || !keys.has(line.slice(0, end).trimStart()))
    return line;
  return number.endsWith(",") ? `${line.slice(0, -1)}.0,` : `${line}.0`;
}
