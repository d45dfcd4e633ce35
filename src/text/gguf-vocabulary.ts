import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { withConfiguredTokens } from "./configured-tokens.ts";
import type { Refuse, VocabularyEntries } from "./gguf-entries.ts";
import { sentencePieceEntries } from "./gguf-sentencepiece.ts";
import { cutsAsTekken, splittingName } from "./gguf-splitting.ts";
import { checkTokenizerJson, type AddedToken, type TokenizerJson } from "./tokenizer-json.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** A tokenizer as the header of a GGUF file says it. */
export interface GgufVocabulary {
  readonly entries: VocabularyEntries;
  /** In what llama.cpp differs, as sentences. */
  readonly notes: readonly string[];
}

/** Kinds of tokens in GGUF files. */
const kinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 };

/**
 * Describes a tokenizer so that llama.cpp cuts texts as it does.
 * @param model `vocabularySize`: its ids, at least as many as the tokenizer's: the rest is filled with tokens that no text
 *   has; the other ids where the tokenizer names none
 * @throws UserError naming what GGUF files have no name for
 */
export function ggufVocabulary(tokenizer: Tokenizer, model: ModelIds): GgufVocabulary {
  const size = model.vocabularySize;
  const json = describedBy(tokenizer);
  if (tokenizer.vocabularySize > size) {
    throw new UserError("unsupported-tokenizer", `it has ${tokenizer.vocabularySize} tokens, and the model ${size}`, {
      where,
      fix: "llama.cpp asks for a row of the embedding for each token: train or save the model with that many.",
    });
  }
  const isByteLevel = JSON.stringify(json.decoder ?? null).includes('"ByteLevel"');
  const { entries, notes, scores } = isByteLevel ? byteLevelEntries(json) : sentencePieceEntries(json, refuse);
  const { tokens, types } = tokensOf(json, size, isByteLevel);
  const around = surroundings(tokenizer);
  const [special, unnamed] = [specialIds(tokenizer, model, around.before), endsBeyond(tokenizer)];
  return {
    entries: {
      ...entries,
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": types,
      ...(scores !== undefined && {
        "tokenizer.ggml.scores": Float32Array.from({ length: size }, (_, id) => scores.get(tokens[id]!) ?? 0),
      }),
      ...special,
      "tokenizer.ggml.add_bos_token": around.before !== undefined,
      "tokenizer.ggml.add_eos_token": around.after,
      ...(tokenizer.chatTemplate !== undefined && { "tokenizer.chat_template": tokenizer.chatTemplate }),
    },
    notes: [...notes, ...addedNotes(json), ...unnamed],
  };
}

const where = "tokenizer of the model";

/** What a model's configuration says of ids. */
interface ModelIds {
  vocabularySize: number;
  beginOfText?: number;
  padToken?: number;
}

const refuse: Refuse = (what) => {
  throw new UserError("unsupported-tokenizer", `GGUF files have no name for ${what}`, {
    where,
    fix: "Use the model in Hugging Face layout, or with a byte-level BPE tokenizer.",
  });
};

/**
 * Seen with xllamacpp 2026.10: "t5" cuts known text of a made-up Unigram tokenizer as `tokenizers` does, but gives the unknown
 * token for what those with `byte_fallback` spell by bytes, line breaks among it.
 */
const unigram =
  'a tokenizer of the type Unigram: of llama.cpp\'s own, "llama" merges by scores, which cuts other tokens, and "t5", which ' +
  "spells nothing by bytes, is not written";

/** Seen with xllamacpp 2026.10: it parts "ÉCOLE" behind its first letter. */
const tekken =
  'how tekken cuts words (Mistral Nemo): what llama.cpp calls "tekken" takes every letter beyond ASCII for a capital and a ' +
  "small one at once, and parts words at combining marks";

function describedBy({ files }: Tokenizer): TokenizerJson {
  const parsed = (name: string): Record<string, unknown> => {
    const bytes = files[name];
    const value: unknown = bytes === undefined ? {} : JSON.parse(new TextDecoder().decode(bytes));
    return isRecord(value) ? value : {};
  };
  const json = checkTokenizerJson(parsed("tokenizer.json"), where);
  if (json.model.type === "Unigram") refuse(unigram);
  if (json.model.type !== "BPE") refuse(`a tokenizer of the type ${String(json.model.type)}`);
  return withConfiguredTokens(json, {
    config: parsed("tokenizer_config.json"),
    specialTokensMap: parsed("special_tokens_map.json"),
    addedTokens: parsed("added_tokens.json"),
  });
}

function byteLevelEntries(json: TokenizerJson): {
  entries: VocabularyEntries;
  notes: string[];
  scores?: undefined;
} {
  const { model, normalizer } = json;
  const pre = splittingName(json);
  if (pre === undefined && cutsAsTekken(json)) refuse(tekken);
  if (pre === undefined)
    refuse(`a byte-level tokenizer that cuts words as this one does (pre_tokenizer, ignore_merges of tokenizer.json)`);
  for (const affix of ["continuing_subword_prefix", "end_of_word_suffix"] as const)
    if (typeof model[affix] === "string" && model[affix] !== "") refuse(`${affix} of tokenizer.json`);
  const composes = isRecord(normalizer) && normalizer.type === "NFC";
  if (normalizer !== null && !composes) refuse("the normalizer of tokenizer.json, with byte-level BPE");
  const note = "llama.cpp does not compose characters (NFC): text that is not composed is cut into other tokens there.";
  return {
    entries: {
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": pre!,
      "tokenizer.ggml.add_space_prefix": false,
      "tokenizer.ggml.merges": (model.merges as (string | [string, string])[]).map((merge) =>
        typeof merge === "string" ? merge : merge.join(" "),
      ),
    },
    notes: composes ? [note] : [],
  };
}

/** Texts and kinds of all ids. A text stands once: llama.cpp ends where one comes twice. */
function tokensOf(json: TokenizerJson, size: number, isByteLevel: boolean): { tokens: string[]; types: Int32Array } {
  const tokens = Array.from({ length: size }, () => "");
  const types = new Int32Array(size).fill(kinds.unused);
  const used = new Set<string>();
  const put = (id: number, text: string, kind: number): void => {
    if (used.has(text) || text === "") return;
    used.add(text);
    tokens[id] = text;
    types[id] = kind;
  };
  for (const token of json.added_tokens) put(token.id, ...addedToken(token, json, isByteLevel));
  for (const [text, id] of Object.entries(json.model.vocab as Record<string, number>)) {
    const isByte = !isByteLevel && /^<0x[0-9A-F]{2}>$/.test(text);
    const isFiller = text === filler(id); // read from another GGUF file
    if (types[id] === kinds.unused) put(id, text, isFiller ? kinds.unused : isByte ? kinds.byte : kinds.normal);
  }
  for (let id = 0; id < size; id++) {
    if (tokens[id] !== "") continue;
    let text = filler(id);
    while (used.has(text)) text = `[${text}]`;
    tokens[id] = text;
  }
  return { tokens, types };
}

/** The text of an id without a token. */
const filler = (id: number): string => `[PAD${id}]`;

function addedToken(
  { content, special, normalized }: AddedToken,
  { model }: TokenizerJson,
  isByteLevel: boolean,
): [string, number] {
  if (isByteLevel) return [content, special === true ? kinds.control : kinds.userDefined];
  if (content === model.unk_token) return [content, kinds.unknown];
  if (special === true) return [content, kinds.control];
  if (!content.includes("\u2581")) return [content, kinds.userDefined];
  // looked for in the text as it stands, where a space is none of these marks: only merges make such a token
  return normalized === true ? [content.replaceAll("\u2581", " "), kinds.userDefined] : [content, kinds.normal];
}

/** What the tokenizer puts around a text: `before` is the id of a beginning, `after` whether its end token follows. */
function surroundings(tokenizer: Tokenizer): { before: number | undefined; after: boolean } {
  const [bare, whole] = [false, true].map((addSpecialTokens) => tokenizer.encode("a", { addSpecialTokens }));
  const start = whole!.findIndex((_, i) => bare!.every((id, j) => whole![i + j] === id));
  const before = whole!.slice(0, start);
  const after = whole!.slice(start + bare!.length);
  const [end] = tokenizer.endOfText ?? [];
  if (before.length > 1 || after.length > 1 || (after.length === 1 && after[0] !== end))
    refuse("what this tokenizer puts around a text (post_processor of tokenizer.json)");
  return { before: before[0], after: after.length === 1 };
}

const endNames = ["eos", "eot", "eom"];

function specialIds(
  tokenizer: Tokenizer,
  { beginOfText, padToken }: ModelIds,
  before: number | undefined,
): Record<string, number> {
  const { specialTokens = {}, endOfText = [] } = tokenizer;
  if (endOfText.length === 0) {
    throw new UserError("unsupported-tokenizer", "it names no token that ends a text", {
      where,
      fix: "Name it in tokenizer_config.json (eos_token): llama.cpp would take another one for it.",
    });
  }
  const idOf = (name: string): number | undefined => {
    const text = specialTokens[`${name}_token`];
    const ids = text === undefined ? [] : tokenizer.encode(text);
    return ids.length === 1 ? ids[0] : undefined;
  };
  const named: [string, number | undefined][] = [
    ["bos", before ?? idOf("bos") ?? beginOfText],
    ...endNames.map((name, i): [string, number | undefined] => [name, endOfText[i]]),
    ["unknown", idOf("unk")],
    ["padding", idOf("pad") ?? padToken],
  ];
  return Object.fromEntries(
    named.flatMap(([name, id]) => (id === undefined ? [] : [[`tokenizer.ggml.${name}_token_id`, id]])),
  );
}

function endsBeyond(tokenizer: Tokenizer): string[] {
  const more = (tokenizer.endOfText ?? []).slice(endNames.length).map((id) => tokenizer.piece(id));
  return more.length === 0
    ? []
    : [`GGUF files name ${endNames.length} tokens that end a text; left out: ${more.join(", ")}.`];
}

/** Options of added tokens that llama.cpp does not know. */
function addedNotes({ added_tokens }: TokenizerJson): string[] {
  const shown = (tokens: readonly AddedToken[]): string =>
    tokens
      .slice(0, 3)
      .map(({ content }) => content)
      .join(", ") + (tokens.length > 3 ? ", ..." : "");
  const greedy = added_tokens.filter(({ lstrip, rstrip }) => lstrip === true || rstrip === true);
  const words = added_tokens.filter(({ single_word }) => single_word === true);
  return [
    ...(greedy.length === 0
      ? []
      : [`llama.cpp may leave the white space beside ${shown(greedy)} in the text, which this tokenizer takes away.`]),
    ...(words.length === 0 ? [] : [`llama.cpp also takes ${shown(words)} where a part of a word is spelled so.`]),
  ];
}
