import { UserError } from "../system/errors.ts";
import { isRecord } from "../system/is-record.ts";
import { show, type TokenizerJson } from "./tokenizer-json.ts";

const deepestStep = 16;

/**
 * The tokenizer in the form in which the JavaScript library gives the ids that Python's gives: two of its splitting
 * steps know only ASCII, and what goes around a text can be set by `tokenizer_config.json`.
 *
 * @throws UserError for a pattern that could take for ever, or steps it does not know
 */
export function libraryForm(
  json: TokenizerJson,
  config: Readonly<Record<string, unknown>>,
  where: string,
): TokenizerJson {
  const form = (step: unknown): unknown => libraryStep(step, where, 0);
  return {
    ...json,
    normalizer: form(json.normalizer),
    pre_tokenizer: form(json.pre_tokenizer),
    decoder: form(json.decoder),
    post_processor: configuredPostProcessor(config) ?? json.post_processor,
  };
}

function libraryStep(step: unknown, where: string, depth: number): unknown {
  if (depth > deepestStep)
    throw new UserError("unsupported-tokenizer", "the steps of this tokenizer are nested too deeply", { where });
  if (!isRecord(step)) return step;
  const pattern = isRecord(step.pattern) ? step.pattern.Regex : undefined;
  if (typeof pattern === "string" && nestsRepeats(pattern)) {
    throw new UserError(
      "unsupported-tokenizer",
      `the pattern ${show(pattern)} repeats a part that repeats itself, which can take for ever`,
      {
        where,
      },
    );
  }
  if (step.type === "Digits") return split(step.individual_digits === true ? "\\p{N}" : "\\p{N}+", "Isolated");
  if (step.type === "Whitespace") return split("\\w+|[^\\w\\s]+", "Removed");
  if (step.type === "Split" && !["Isolated", "Removed"].includes(step.behavior as string)) {
    throw new UserError(
      "unsupported-tokenizer",
      `splitting with the behavior ${show(step.behavior)} is not supported`,
      { where },
    );
  }
  const nested = Object.entries(step).filter((entry): entry is [string, unknown[]] => Array.isArray(entry[1]));
  const formed = nested.map(([key, list]) => [key, list.map((item) => libraryStep(item, where, depth + 1))]);
  return { ...step, ...Object.fromEntries(formed) };
}

function split(Regex: string, behavior: "Isolated" | "Removed"): object {
  return { type: "Split", pattern: { Regex }, behavior, invert: behavior === "Removed" };
}

/** As in transformers: `add_bos_token` and `add_eos_token` take the place of what the tokenizer's file says. */
function configuredPostProcessor(config: Readonly<Record<string, unknown>>): object | undefined {
  const { add_bos_token, add_eos_token } = config;
  if (typeof add_bos_token !== "boolean" && typeof add_eos_token !== "boolean") return undefined;
  const around = { before: add_bos_token === true, after: add_eos_token === true };
  return templateProcessing(
    around.before ? tokenText(config.bos_token) : undefined,
    around.after ? tokenText(config.eos_token) : undefined,
  );
}

/** The step that puts tokens before and behind a text. */
export function templateProcessing(before: string | undefined, after: string | undefined): object {
  const special = (token: string | undefined, type_id: number): object[] =>
    token === undefined ? [] : [{ SpecialToken: { id: token, type_id } }];
  const around = (id: "A" | "B", type_id: number): object[] => [
    ...special(before, type_id),
    { Sequence: { id, type_id } },
    ...special(after, type_id),
  ];
  return { type: "TemplateProcessing", single: around("A", 0), pair: [...around("A", 0), ...around("B", 1)] };
}

/** A special token in a configuration is its text, or an object with its text. */
export function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return isRecord(value) && typeof value.content === "string" ? value.content : undefined;
}

/** Whether a regular expression repeats a group without bound that holds something repeated without bound. */
function nestsRepeats(pattern: string): boolean {
  const repeats = [false]; // by depth of groups: whether something in it repeats
  let isClosed = false; // whether the character before closed a group that holds repeats
  const bare = pattern.replace(/\\./gs, "x").replace(/\[[^\]]*\]/g, "x");
  for (let i = 0; i < bare.length; i++) {
    const isRepeat = /^(?:[*+]|\{\d+,\})/.test(bare.slice(i, i + 12));
    if (isRepeat && isClosed) return true;
    if (isRepeat) repeats[repeats.length - 1] = true;
    isClosed = false;
    if (bare[i] === "(") repeats.push(false);
    if (bare[i] === ")" && repeats.length > 1) {
      isClosed = repeats.pop()!;
      if (isClosed) repeats[repeats.length - 1] = true;
    }
  }
  return false;
}
