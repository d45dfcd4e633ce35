import { UserError } from "../../system/errors.ts";
import type { DecoderConfig } from "../config.ts";
import { decoderTensors, familyOf } from "../families/index.ts";

/**
 * Compares the tensors found with those that the configuration asks for.
 * @throws UserError naming what is missing, too much (it would be ignored silently) or of another shape
 */
export function checkTensors(
  config: DecoderConfig,
  found: ReadonlyMap<string, readonly number[]>,
  where: string,
): void {
  const family = familyOf(config);
  const expected = decoderTensors(config);
  const missing = [...expected.keys()].filter((name) => !found.has(name));
  if (missing.length > 0) {
    const unprefixed = found.has("embed_tokens.weight");
    throw new UserError(
      "missing-tensor",
      `${missing.length} of ${expected.size} tensors are missing: ${firstFew(missing)}`,
      {
        where,
        fix: unprefixed
          ? `The folder holds a model without its output: save it as ${family.architectures[0]}.`
          : "The model is incomplete, or its configuration belongs to another one.",
      },
    );
  }
  const unknown = [...found.keys()].filter((name) => !expected.has(name));
  if (unknown.length > 0) {
    throw new UserError(
      "unknown-tensor",
      `${unknown.length} tensors have no place in this architecture: ${firstFew(unknown)}`,
      { where, fix: `Ignoring them would change the model's results; choose a plain ${family.modelType} model.` },
    );
  }
  for (const [name, shape] of expected) {
    const actual = found.get(name)!;
    if (actual.length === shape.length && actual.every((size, axis) => size === shape[axis])) continue;
    throw new UserError("wrong-shape", `${name} has the shape [${actual.join(", ")}], expected [${shape.join(", ")}]`, {
      where,
      fix: "The configuration and the weights belong to different models.",
    });
  }
}

function firstFew(names: string[]): string {
  const rest = names.length - 5;
  return names.slice(0, 5).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
