import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";

/**
 * Names (those of Hugging Face) and shapes of all tensors of a decoder: `[outputs, inputs]` for projections,
 * `lm_head.weight` only where the output is not tied.
 */
export function decoderTensors(config: DecoderConfig): Map<string, number[]> {
  const { width, feedForwardWidth, headSize } = config;
  const queryWidth = config.heads * headSize;
  const keyWidth = config.keyValueHeads * headSize;
  const tensors = new Map<string, number[]>([["model.embed_tokens.weight", [config.vocabularySize, width]]]);
  const projection = (name: string, outputs: number, inputs: number, bias: boolean): void => {
    tensors.set(`${name}.weight`, [outputs, inputs]);
    if (bias) tensors.set(`${name}.bias`, [outputs]);
  };
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `model.layers.${layer}`;
    tensors.set(`${block}.input_layernorm.weight`, [width]);
    projection(`${block}.self_attn.q_proj`, queryWidth, width, config.attentionBias);
    projection(`${block}.self_attn.k_proj`, keyWidth, width, config.attentionBias);
    projection(`${block}.self_attn.v_proj`, keyWidth, width, config.attentionBias);
    projection(`${block}.self_attn.o_proj`, width, queryWidth, config.attentionBias);
    tensors.set(`${block}.post_attention_layernorm.weight`, [width]);
    projection(`${block}.mlp.gate_proj`, feedForwardWidth, width, config.mlpBias);
    projection(`${block}.mlp.up_proj`, feedForwardWidth, width, config.mlpBias);
    projection(`${block}.mlp.down_proj`, width, feedForwardWidth, config.mlpBias);
  }
  tensors.set("model.norm.weight", [width]);
  if (!config.tiedOutput) tensors.set("lm_head.weight", [config.vocabularySize, width]);
  return tensors;
}

/**
 * Compares the tensors found with those that the configuration asks for.
 * @throws UserError naming what is missing, too much (it would be ignored silently) or of another shape
 */
export function checkTensors(
  config: DecoderConfig,
  found: ReadonlyMap<string, readonly number[]>,
  where: string,
): void {
  const expected = decoderTensors(config);
  const missing = [...expected.keys()].filter((name) => !found.has(name));
  if (missing.length > 0) {
    const unprefixed = found.has("embed_tokens.weight");
    throw new UserError(`${missing.length} of ${expected.size} tensors are missing: ${firstFew(missing)}`, {
      where,
      fix: unprefixed
        ? "The folder holds a bare LlamaModel: save it as LlamaForCausalLM."
        : "The model is incomplete, or its configuration belongs to another one.",
    });
  }
  const unknown = [...found.keys()].filter((name) => !expected.has(name));
  if (unknown.length > 0) {
    throw new UserError(`${unknown.length} tensors have no place in this architecture: ${firstFew(unknown)}`, {
      where,
      fix: "Ignoring them would change the model's results; choose a plain Llama-family model.",
    });
  }
  for (const [name, shape] of expected) {
    const actual = found.get(name)!;
    if (actual.length === shape.length && actual.every((size, axis) => size === shape[axis])) continue;
    throw new UserError(`${name} has the shape [${actual.join(", ")}], expected [${shape.join(", ")}]`, {
      where,
      fix: "The configuration and the weights belong to different models.",
    });
  }
}

function firstFew(names: string[]): string {
  const rest = names.length - 5;
  return names.slice(0, 5).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
