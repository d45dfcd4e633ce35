import { isRecord } from "../system/is-record.ts";
import { splittingRules, type SplittingRule } from "./splitting-rules.ts";
import type { TokenizerJson } from "./tokenizer-json.ts";

type Splitting = Pick<SplittingRule, "patterns" | "gpt2">;

/**
 * The name that GGUF files have for how a byte-level BPE tokenizer cuts text into words (`tokenizer.ggml.pre`), told from
 * what its steps do; undefined where none is the same.
 */
export function splittingName({ pre_tokenizer, model }: TokenizerJson): string | undefined {
  const own = splittingOf(pre_tokenizer);
  if (own === undefined) return undefined;
  const wholeWords = model.ignore_merges === true;
  const same = ({ patterns, gpt2, wholeWords: whole }: SplittingRule): boolean =>
    gpt2 === own.gpt2 && whole === wholeWords && patterns.join("\n") === own.patterns.join("\n");
  return [...splittingRules].find(([, rule]) => same(rule))?.[0];
}

/** Whether words end before a capital letter behind small ones, as Mistral's tekken has it. */
export function cutsAsTekken({ pre_tokenizer }: TokenizerJson): boolean {
  return splittingOf(pre_tokenizer)?.patterns.some((pattern) => pattern.includes("\\p{Lu}\\p{Lt}")) ?? false;
}

/** Undefined for steps that no rule has. */
function splittingOf(step: unknown): Splitting | undefined {
  const steps = flattened(step);
  const bytes = steps.at(-1);
  if (bytes?.type !== "ByteLevel" || bytes.add_prefix_space !== false) return undefined;
  const patterns = steps.slice(0, -1).map(patternOf);
  if (patterns.includes(undefined)) return undefined;
  return { patterns: patterns as string[], gpt2: bytes.use_regex !== false };
}

function flattened(step: unknown): Record<string, unknown>[] {
  if (!isRecord(step)) return [];
  if (step.type !== "Sequence") return [step];
  return Array.isArray(step.pretokenizers) ? step.pretokenizers.flatMap(flattened) : [];
}

/** The pattern whose matches a step sets apart. */
function patternOf({
  type,
  pattern,
  behavior,
  invert,
  individual_digits,
}: Record<string, unknown>): string | undefined {
  if (type === "Digits") return individual_digits === true ? "\\p{N}" : "\\p{N}+";
  const regex = isRecord(pattern) && typeof pattern.Regex === "string" ? canonical(pattern.Regex) : undefined;
  if (type !== "Split" || regex === undefined) return undefined;
  if (behavior === "Isolated" && invert !== true) return regex;
  // of a pattern that matches everything, nothing is removed
  return behavior === "Removed" && invert === true && regex.endsWith("|\\s+") ? regex : undefined;
}

/** One spelling for patterns that match the same. */
function canonical(regex: string): string {
  return regex.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])");
}
