import { UserError } from "../../system/errors.ts";
import type { TokenizerJson } from "../tokenizer-json.ts";
import { bpe, type BpeOptions } from "./bpe.ts";
import type { EncodeWord } from "./model.ts";
import { unigram, type UnigramOptions } from "./unigram.ts";
import { wordLevel, wordPiece } from "./words.ts";

export interface Model {
  encodeWord: EncodeWord;
  ids: ReadonlyMap<string, number>;
}

/** @throws UserError for an option that makes ids differ from call to call, Error for parts that do not fit */
export function createModel({ model }: TokenizerJson, where: string): Model {
  const { vocab } = model;
  const ids = new Map(Array.isArray(vocab) ? vocab.map(([token], id) => [token, id] as const) : Object.entries(vocab));
  if (typeof model.dropout === "number" && model.dropout > 0) {
    throw new UserError(
      "unsupported-tokenizer",
      "the tokenizer drops merges at random (dropout), which is not supported",
      {
        where,
        fix: 'Set "dropout" to null in tokenizer.json.',
      },
    );
  }
  return { encodeWord: encoderOf(model, ids), ids };
}

function encoderOf(model: TokenizerJson["model"], ids: ReadonlyMap<string, number>): EncodeWord {
  const type = modelTypeOf(model);
  if (type === "Unigram") return unigram(model as unknown as UnigramOptions, ids);
  if (type === "BPE") return bpe(model as unknown as BpeOptions, ids);
  return type === "WordPiece" ? wordPiece(model, ids) : wordLevel(model, ids);
}

/** Old files name no type. */
export function modelTypeOf(model: TokenizerJson["model"]): string {
  if (model.type !== undefined) return model.type;
  if (Array.isArray(model.vocab)) return "Unigram";
  if (Array.isArray(model.merges)) return "BPE";
  return "continuing_subword_prefix" in model ? "WordPiece" : "WordLevel";
}
