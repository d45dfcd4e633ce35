import { UserError } from "../../system/errors.ts";
import type { Activation } from "../config.ts";
import { show, type Fields } from "../fields.ts";

/** The names that transformers has for each activation; the first is written. */
const names: Record<Activation, readonly [string, ...string[]]> = {
  silu: ["silu", "swish"],
  gelu: ["gelu"],
  "gelu-tanh": ["gelu_pytorch_tanh", "gelu_new", "gelu_fast"], // one function, differently spelled out
};

/**
 * Reads the activation of the feed-forward part.
 * @param assumed its name where the file is silent
 * @throws UserError for one that is not computed here
 */
export function parseActivation(
  fields: Fields,
  where: string,
  { key, assumed }: { key: string; assumed: string },
): { activation?: Activation } {
  const name = fields.text(key, assumed);
  const activation = (Object.keys(names) as Activation[]).find((known) => names[known].includes(name));
  if (activation === undefined)
    throw new UserError("unsupported-model", `the activation ${show(name)} is not supported`, {
      where,
      fix: `Supported are ${Object.values(names).flat().join(", ")}.`,
    });
  return activation === "silu" ? {} : { activation };
}

export function activationName(activation: Activation = "silu"): string {
  return names[activation][0];
}
