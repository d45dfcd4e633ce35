import { UserError } from "../system/errors.ts";
import type { DecoderConfig } from "./config.ts";

/**
 * A tokenizer may have more tokens than the embedding has rows, as long as no text uses them.
 * @throws UserError naming the first model that has no such token
 */
export function requireKnownIds(
  ids: Int32Array | readonly number[],
  models: readonly { readonly source: string; readonly config: Pick<DecoderConfig, "vocabularySize"> }[],
): void {
  let largest = 0;
  for (const id of ids) largest = Math.max(largest, id);
  const small = models.find(({ config }) => largest >= config.vocabularySize);
  if (small === undefined) return;
  throw new UserError(
    "tokenizer-mismatch",
    `the tokenizer gives the id ${largest}, but the model has ${small.config.vocabularySize} tokens`,
    {
      where: small.source,
      fix: "Its tokenizer belongs to another model, or tokens were added without rows for them: resize the embedding (transformers: resize_token_embeddings).",
    },
  );
}
