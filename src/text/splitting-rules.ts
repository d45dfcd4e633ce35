/**
 * How byte-level BPE vocabularies cut text into words before merging, by their name in GGUF files
 * (`tokenizer.ggml.pre`). The regular expressions are llama.cpp's (llama-vocab.cpp) and those of the models' own
 * `tokenizer.json`; each is applied to the parts the one before it made.
 */
export interface SplittingRule {
  patterns: readonly string[];
  /** Whether the GPT-2 rule splits what the patterns leave. */
  gpt2: boolean;
  /** Whether a word that is a token is taken as it is, without looking at the merges. */
  wholeWords: boolean;
}

const contractions = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const cl100k = (digits: string): string =>
  `${contractions}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const gpt2: SplittingRule = { patterns: [], gpt2: true, wholeWords: false };
const singleDigits: SplittingRule = { patterns: ["\\p{N}"], gpt2: true, wholeWords: false };
const qwen2: SplittingRule = { patterns: [cl100k("\\p{N}")], gpt2: false, wholeWords: false };
const llama3: SplittingRule = { patterns: [cl100k("\\p{N}{1,3}")], gpt2: false, wholeWords: true };
const tripleDigits: SplittingRule = { ...llama3, wholeWords: false };

const gpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";
const unnamed: SplittingRule = {
  patterns: ["[\\p{P}\\$\\+<=>\\^~\\|]+", gpt2Pattern, "\\p{N}+", "[0-9][0-9][0-9]"],
  gpt2: false,
  wholeWords: false,
};

export const splittingRules: ReadonlyMap<string, SplittingRule> = new Map([
  ["default", unnamed] as const,
  ...["gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais"].map((name) => [name, gpt2] as const),
  ...["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"].map(
    (name) => [name, singleDigits] as const,
  ),
  ...["qwen2", "deepseek-r1-qwen", "stablelm2"].map((name) => [name, qwen2] as const),
  ...["llama-bpe", "llama3", "llama-v3", "falcon3"].map((name) => [name, llama3] as const),
  ...["dbrx", "smaug-bpe"].map((name) => [name, tripleDigits] as const),
]);
