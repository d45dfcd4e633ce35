import { UserError } from "../system/errors.ts";
import { splittingRules, type SplittingRule } from "./splitting-rules.ts";
import { show } from "./tokenizer-json.ts";

export type GgufMetadata = Readonly<Record<string, unknown>>;

/** Where GGUF tokenizers come from, for messages. */
export const where = "tokenizer of the GGUF file";

/** The parts of a `tokenizer.json` that cut text into tokens. */
export interface TokenizerSteps {
  normalizer: object | null;
  pre_tokenizer: object | null;
  decoder: object;
  model: object;
}

/** Byte-level BPE, as of GPT-2, Llama 3, Qwen and SmolLM. */
export function byteLevelBpe(metadata: GgufMetadata, tokens: readonly string[]): TokenizerSteps {
  const name = metadata["tokenizer.ggml.pre"] ?? "default";
  const rule = typeof name === "string" ? splittingRules.get(name) : undefined;
  if (rule === undefined) {
    throw unsupported(`the splitting rule (tokenizer.ggml.pre) ${show(name)}`, [...splittingRules.keys()].join(", "));
  }
  return {
    normalizer: null,
    pre_tokenizer: byteLevelSplitting(rule),
    decoder: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    model: {
      ...bpe(tokens, textList(metadata, "tokenizer.ggml.merges")),
      ignore_merges: rule.wholeWords,
    },
  };
}

function byteLevelSplitting({ patterns, gpt2 }: SplittingRule): object {
  const splits = patterns.map((Regex) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }));
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: gpt2 };
  return { type: "Sequence", pretokenizers: [...splits, bytes] };
}

/** SentencePiece BPE, as of Llama 1 and 2: the pair whose token has the highest score is merged first. */
export function sentencePieceBpe(metadata: GgufMetadata, tokens: readonly string[]): TokenizerSteps {
  const scores = metadata["tokenizer.ggml.scores"];
  if (!Array.isArray(scores) || scores.length !== tokens.length || !scores.every(Number.isFinite)) {
    throw new UserError("invalid-tokenizer", `tokenizer.ggml.scores is no list of ${tokens.length} numbers`, { where });
  }
  const addsSpace = metadata["tokenizer.ggml.add_space_prefix"] !== false;
  const prepend = addsSpace ? [{ type: "Prepend", prepend: "\u2581" }] : [];
  const strip = addsSpace ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [];
  const spaces = { type: "Replace", pattern: { String: " " }, content: "\u2581" };
  const shown = { type: "Replace", pattern: { String: "\u2581" }, content: " " };
  const unknown = metadata["tokenizer.ggml.unknown_token_id"];
  return {
    normalizer: { type: "Sequence", normalizers: [...prepend, spaces] },
    pre_tokenizer: null,
    decoder: { type: "Sequence", decoders: [shown, { type: "ByteFallback" }, { type: "Fuse" }, ...strip] },
    model: {
      ...bpe(tokens, mergesByScore(tokens, scores as number[])),
      unk_token: typeof unknown === "number" ? (tokens[unknown] ?? null) : null,
      fuse_unk: true,
      byte_fallback: true,
    },
  };
}

const longestMerged = 64; // characters; longer tokens are not put together from others

/**
 * The pairs of tokens that make a token, as `tokenizers` writes them, those of the highest score first.
 * @param longest characters of a token that is looked at
 */
export function mergesByScore(tokens: readonly string[], scores: readonly number[], longest = longestMerged): string[] {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: { pair: string; score: number; left: number; right: number }[] = [];
  for (const [id, token] of tokens.entries()) {
    if (token.length > longest) continue;
    for (let at = 1; at < token.length; at++) {
      const [left, right] = [token.slice(0, at), token.slice(at)];
      if (!ids.has(left) || !ids.has(right)) continue;
      merges.push({ pair: `${left} ${right}`, score: scores[id]!, left: left.length, right: right.length });
    }
  }
  merges.sort((a, b) => b.score - a.score || b.left - a.left || b.right - a.right);
  return merges.map(({ pair }) => pair);
}

function bpe(tokens: readonly string[], merges: readonly string[]): object {
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges,
  };
}

export function textList(metadata: GgufMetadata, key: string): readonly string[] {
  const list = metadata[key];
  if (Array.isArray(list) && list.every((item) => typeof item === "string")) return list;
  throw new UserError("invalid-tokenizer", list === undefined ? `there is no ${key}` : `${key} is no list of texts`, {
    where,
    fix: "Convert the model to GGUF again.",
  });
}

export function unsupported(what: string, known: string): UserError {
  return new UserError("unsupported-tokenizer", `${what} is not supported (known are ${known})`, {
    where,
    fix: "Use the model's folder in Hugging Face layout instead of the GGUF file.",
  });
}
