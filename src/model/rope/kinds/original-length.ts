import { UserError } from "../../../system/errors.ts";
import type { Fields } from "../../fields.ts";
import type { FileFacts } from "./kind.ts";

const key = "original_max_position_embeddings";

/**
 * Tokens of the texts that the model was trained with before it was stretched: what the record says, else the file.
 * @throws UserError where they contradict each other
 */
export function originalLength(record: Fields, { originalMaxPositions, maxPositions, where }: FileFacts): number {
  const own = record.integer(key, { min: 1, fallback: originalMaxPositions ?? maxPositions });
  if (originalMaxPositions === undefined || own === originalMaxPositions) return own;
  throw new UserError("invalid-model-config", `${key} is ${own} here and ${originalMaxPositions} in the whole file`, {
    where,
    fix: "Correct the one that the model was not trained with; transformers takes that of the whole file.",
  });
}
