import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import type { Fields } from "../fields.ts";
import type { ProjectionName } from "../projections.ts";

export const ofAttention = ["q", "k", "v", "o"] as const;
export const ofFeedForward = ["gate", "up", "down"] as const;

/** Of the parts that have biases. */
export function biasesOf({ attention, feedForward }: { attention: boolean; feedForward: boolean }): ProjectionName[] {
  return [...(attention ? ofAttention : []), ...(feedForward ? ofFeedForward : [])];
}

/** As `config.json` says in the families of Llama's keys. */
export function parseBiases(fields: Fields): ProjectionName[] {
  return biasesOf({
    attention: fields.boolean("attention_bias", false),
    feedForward: fields.boolean("mlp_bias", false),
  });
}

/**
 * Whether the model has biases in these projections.
 * @throws UserError where some of them have one and others have not, which no file of the family can say
 */
export function areBiased({ family, biases }: DecoderConfig, projections: readonly ProjectionName[]): boolean {
  const biased = projections.filter((name) => biases.includes(name));
  if (biased.length === 0 || biased.length === projections.length) return biased.length > 0;
  throw new UserError("unsupported-model", `a ${family} has biases in all of ${projections.join(", ")} or in none`, {
    where: "configuration of the model",
    fix: `Here only ${biased.join(", ")} have one: name the family that the model belongs to.`,
  });
}
