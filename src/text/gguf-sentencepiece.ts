import { isRecord } from "../system/is-record.ts";
import type { Refuse, VocabularyEntries } from "./gguf-entries.ts";
import { mergesByScore } from "./gguf-models.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

const mark = "\u2581"; // stands for a space

/** Share of pairs without a merge up to which a tokenizer is taken for one of SentencePiece: Llama 2 lacks the first. */
const mostStrange = 1e-3;

const spaces =
  "llama.cpp puts a space before a text behind every special token, which this tokenizer does only at the start.";

/**
 * A BPE tokenizer that was made from one of SentencePiece (Llama 1 and 2, Mistral, Gemma, Phi-3): GGUF files hold scores in
 * the place of merges, and llama.cpp joins the pair whose token has the highest one. That gives the same tokens if the
 * merges of one token follow each other, and every pair that makes a token is a merge (but for a few, which are named).
 */
export function sentencePieceEntries(
  json: TokenizerJson,
  refuse: Refuse,
): { entries: VocabularyEntries; notes: string[]; scores: ReadonlyMap<string, number> } {
  const { model } = json;
  if (model.byte_fallback !== true) refuse("a BPE tokenizer without bytes (neither ByteLevel nor byte_fallback)");
  const prefix = prefixOf(json);
  if (prefix === undefined) return refuse("what this tokenizer does with spaces (normalizer, pre_tokenizer)");
  const merges = (model.merges as (string | [string, string])[]).map((merge) =>
    typeof merge === "string" ? (merge.split(" ") as [string, string]) : merge,
  );
  const scores = scoresOf(merges, refuse);
  const strange = strangePairs(merges, scores, json);
  if (strange.length > mostStrange * merges.length)
    refuse(`a vocabulary in which pairs of tokens make a token without a merge (${strange.length}, as ${strange[0]})`);
  return {
    entries: {
      "tokenizer.ggml.model": "llama",
      "tokenizer.ggml.pre": "default",
      "tokenizer.ggml.add_space_prefix": prefix !== "never",
    },
    notes: [
      ...(prefix === "first" ? [spaces] : []),
      ...(strange.length > 0
        ? [`llama.cpp also joins ${strange.slice(0, 3).join(", ")}, which is no merge here.`]
        : []),
    ],
    scores,
  };
}

/** When a space is put before a text; undefined for steps that llama.cpp does not have. */
function prefixOf({ normalizer, pre_tokenizer, model }: TokenizerJson): "always" | "first" | "never" | undefined {
  const normal = stepsOf(normalizer, "normalizers");
  const splits = stepsOf(pre_tokenizer, "pretokenizers");
  const replaces = normal.some(isSpaceMark);
  const prepends = normal.some(({ type, prepend }) => type === "Prepend" && prepend === mark);
  if (normal.length !== Number(replaces) + Number(prepends)) return undefined;
  // behind that replacement there is no space to split at
  const left = splits.filter(({ type, pattern }) => !(replaces && type === "Split" && isSpace(pattern)));
  if (left.length === 0) return replaces ? (prepends ? "always" : "never") : undefined;
  const [{ type, replacement = mark, prepend_scheme, add_prefix_space, split = true }] = left as [
    Record<string, unknown>,
  ];
  if (left.length > 1 || normal.length > 0 || type !== "Metaspace" || replacement !== mark) return undefined;
  const joined = Object.keys(model.vocab).some((token) => token.includes(mark, 1));
  if (split === true && joined) return undefined; // llama.cpp does not keep words apart
  return (prepend_scheme ?? (add_prefix_space === false ? "never" : "always")) as "always" | "first" | "never";
}

function stepsOf(step: unknown, list: string): Record<string, unknown>[] {
  if (!isRecord(step)) return [];
  const steps: unknown = step[list];
  return step.type === "Sequence" && Array.isArray(steps) ? steps.flatMap((each) => stepsOf(each, list)) : [step];
}

const isSpace = (pattern: unknown): boolean => isRecord(pattern) && (pattern.String === " " || pattern.Regex === " ");

function isSpaceMark({ type, pattern, content }: Record<string, unknown>): boolean {
  return type === "Replace" && isSpace(pattern) && content === mark;
}

/** Of each token that a merge makes: the earlier, the higher. */
function scoresOf(merges: readonly [string, string][], refuse: Refuse): Map<string, number> {
  const scores = new Map<string, number>();
  let last: string | undefined;
  for (const [left, right] of merges) {
    const token = left + right;
    if (token === last) continue;
    if (scores.has(token)) refuse(`merges whose order no scores give (${JSON.stringify(token)} comes twice)`);
    scores.set(token, -scores.size);
    last = token;
  }
  return scores;
}

/** Pairs that make a token and are no merge: llama.cpp joins them all the same. */
function strangePairs(
  merges: readonly [string, string][],
  scores: ReadonlyMap<string, number>,
  { model, added_tokens }: TokenizerJson,
): string[] {
  const known = new Set(merges.map(([left, right]) => `${left} ${right}`));
  const tokens = [...new Set([...Object.keys(model.vocab), ...added_tokens.map(({ content }) => content)])];
  const made = mergesByScore(
    tokens,
    tokens.map((token) => scores.get(token) ?? 0),
    Infinity,
  );
  return made.filter((pair) => !known.has(pair));
}
