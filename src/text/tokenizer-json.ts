import { UserError, type ErrorCode } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";

/** The parts of a `tokenizer.json`; its steps are looked at where they are made. */
export interface TokenizerJson {
  added_tokens: AddedToken[];
  normalizer: unknown;
  pre_tokenizer: unknown;
  post_processor: unknown;
  decoder: unknown;
  model: {
    type?: string;
    vocab: Record<string, number> | [string, number][];
    unk_token?: string | null;
    [option: string]: unknown;
  };
}

export interface AddedToken {
  id: number;
  content: string;
  special?: boolean;
  normalized?: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  single_word?: boolean;
}

const largestId = 2 ** 24;
const longestToken = 4_096; // characters
const longestAdded = 512; // of an added token, looked for at every place
/** Options of models that every type may carry, by what they are where they are not null. */
const modelOptions = [
  ["continuing_subword_prefix", "string"],
  ["end_of_word_suffix", "string"],
  ["max_input_chars_per_word", "number"],
  ["byte_fallback", "boolean"],
  ["fuse_unk", "boolean"],
  ["ignore_merges", "boolean"],
  ["dropout", "number"],
] as const;
const modelTypes = ["BPE", "WordPiece", "WordLevel", "Unigram"];

/**
 * @param json parsed contents of a `tokenizer.json`
 * @throws UserError if ids or vocabulary are not what they must be
 */
export function checkTokenizerJson(json: unknown, where: string): TokenizerJson {
  const refuse = (what: string, code: ErrorCode = "invalid-tokenizer"): never => {
    throw new UserError(code, what, {
      where,
      fix: "Take the tokenizer.json that belongs to the model.",
    });
  };
  if (!isRecord(json)) return refuse("this is no tokenizer: an object was expected");
  const { model, added_tokens = [] } = json;
  if (!isRecord(model)) return refuse('this tokenizer has no "model"');
  const { type, vocab, merges, unk_token } = model;
  if (type !== undefined && !modelTypes.includes(type as string)) {
    const known = modelTypes.join(", ");
    return refuse(`the tokenizer model ${show(type)} is not supported (known are ${known})`, "unsupported-tokenizer");
  }
  if (unk_token !== undefined && unk_token !== null && typeof unk_token !== "string") refuse("unk_token is no text");
  if (Array.isArray(vocab)) checkScores(vocab, refuse);
  else checkVocabulary(vocab, refuse);
  if (type === "Unigram" && !Array.isArray(vocab)) refuse('"vocab" is no list');
  const last = Array.isArray(vocab) ? vocab.length - 1 : largestId;
  if (model.unk_id !== undefined && model.unk_id !== null && !(isId(model.unk_id) && model.unk_id <= last))
    refuse(`unk_id is ${show(model.unk_id)}, which no token has`);
  if (type === "BPE") checkMerges(merges, refuse);
  for (const [option, kind] of modelOptions) {
    const value = model[option] ?? undefined;
    if (value !== undefined && typeof value !== kind) refuse(`"${option}" of the model is ${show(value)}, no ${kind}`);
  }
  if (!Array.isArray(added_tokens)) return refuse('"added_tokens" is no list');
  for (const token of added_tokens as unknown[]) {
    if (!isRecord(token) || !isId(token.id) || typeof token.content !== "string" || token.content === "") {
      return refuse(`an added token needs an id and a text, but one is ${show(token)}`);
    }
    refuseLong(token.content, refuse, longestAdded);
  }
  for (const parts of [added_tokens, json.normalizer, json.pre_tokenizer, json.post_processor, json.decoder])
    checkFlags(parts, refuse);
  const steps = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  return { ...steps, ...json, added_tokens } as unknown as TokenizerJson;
}

type Refuse = (what: string) => never;

/** Settings of steps and added tokens that are true or false, or null where they are left out. */
const flags = new Set([
  ...["special", "normalized", "lstrip", "rstrip", "single_word", "add_prefix_space", "trim_offsets", "use_regex"],
  ...["clean_text", "handle_chinese_chars", "strip_accents", "lowercase", "strip_left", "strip_right", "invert"],
  ...["individual_digits", "cleanup"],
]);
const deepestFlags = 32; // steps are not nested that deep

/** Whatever else stands there counts as true in some places and as false in others. */
function checkFlags(value: unknown, refuse: Refuse, depth = 0): void {
  if (typeof value !== "object" || value === null || depth > deepestFlags) return;
  for (const [key, inner] of Object.entries(value)) {
    if (flags.has(key) && inner !== null && typeof inner !== "boolean")
      refuse(`"${key}" is ${show(inner)}, neither true nor false`);
    checkFlags(inner, refuse, depth + 1);
  }
}

function checkVocabulary(vocab: unknown, refuse: Refuse): void {
  if (!isRecord(vocab)) return refuse('this tokenizer has no "vocab"');
  for (const [token, id] of Object.entries(vocab)) {
    if (!isId(id)) refuse(`the token ${show(token)} has the id ${show(id)}`);
    refuseLong(token, refuse);
  }
}

/** The time to cut a text into tokens grows with the longest. */
function refuseLong(token: string, refuse: Refuse, longest = longestToken): void {
  if (token.length > longest) refuse(`a token has ${token.length} characters, more than ${longest}`);
}

function checkScores(vocab: readonly unknown[], refuse: Refuse): void {
  if (vocab.length > largestId) refuse(`the vocabulary has ${vocab.length} tokens`);
  for (const entry of vocab) {
    const isPair = Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "number";
    if (!isPair || !Number.isFinite(entry[1])) refuse(`the vocabulary entry ${show(entry)} is no text with a score`);
    refuseLong((entry as [string])[0], refuse);
  }
}

function checkMerges(merges: unknown, refuse: Refuse): void {
  if (!Array.isArray(merges)) return refuse('this tokenizer has no "merges"');
  const paired = Array.isArray(merges[0]);
  for (const merge of merges as unknown[]) {
    const parts: unknown = typeof merge === "string" && !paired ? merge.split(" ", 2) : merge;
    const isPair = Array.isArray(parts) && parts.length === 2 && parts.every((part) => typeof part === "string");
    if (!isPair) refuse(`the merge ${show(merge)} is no pair of tokens`);
  }
}

/** Whether a value can be the id of a token. */
export function isId(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < largestId;
}

/** A value in a message, shortened. */
export function show(value: unknown): string {
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    text = `a ${typeof value}`; // bigint, or nested too deeply
  }
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
