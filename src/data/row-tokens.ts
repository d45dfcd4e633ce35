import { UserError } from "../system/errors.ts";
import { propertyNames, type OptionNames } from "../system/option-names.ts";
import { refuse } from "../system/refuse-option.ts";
import {
  beyondLimit,
  isSystem,
  templateReads,
  tokenizeConversation,
  tokenizePromptResponse,
  type PromptWeight,
  type TokenizedRow,
  type Tokenizer,
  withOneBeginning,
} from "../text/index.ts";
import type { Row } from "./dataset.ts";
import type { GivenTokens } from "./token-format.ts";

export interface RowTokenOptions {
  /** Longer rows are cut to this many tokens; a row whose whole response is cut away is skipped. Default: no limit. */
  maxTokens?: number | undefined;
  /** What happens to a longer row: it loses its end (default), is skipped, or (plain text) divided into chunks. */
  truncate?: "end" | "skip" | "chunk";
  /**
   * With `truncate: "chunk"`, how many tokens of the chunk before it a chunk begins with; they do not train again.
   * At least 1, so that each token has one before it. Default: an eighth of `maxTokens`.
   */
  overlap?: number | undefined;
  /** A Jinja chat template to use instead of the tokenizer's own. */
  template?: string;
  /** Which answers of a conversation train: all (default), or the last one alone. */
  trainTurns?: "all" | "last";
  /**
   * What each token of a prompt counts, beside the responses: all that stands outside of answers, up to the last one
   * that trains. Rules do not rank these tokens. Default 0: prompts do not train.
   */
  promptWeight?: number | undefined;
  /** The same for the system's message at the beginning of a conversation. Default: as `promptWeight`. */
  systemWeight?: number | undefined;
  /** Text of a system message for conversations that have none. */
  systemPrompt?: string | undefined;
  /** Between question and answer where there is no chat template. Default: a newline. */
  separator?: string;
  /** How messages call these options. Default: as they are called here. */
  names?: OptionNames;
}

const tooLong = "longer than the limit of tokens";

/** Why rows are left out that a larger limit of tokens would let in. */
export const lengthReasons: readonly string[] = [tooLong, beyondLimit];

/**
 * One row's tokens. Conversations go through the chat template, and so do questions with answers when there is one;
 * prompts with responses are joined as plain text.
 *
 * @param where file and row, for messages
 */
export function tokensOfRow(
  row: Row,
  tokenizer: Tokenizer,
  options: RowTokenOptions,
  where: () => string,
): TokenizedRow | { skipped: string } {
  const tokens = named(where, () => {
    const cut = cutRow(row, tokenizer, options, where);
    return row.tokens || "skipped" in cut ? cut : withOneBeginning(tokenizer, cut);
  });
  const whole = "skipped" in tokens || !tokens.truncated || options.truncate !== "skip";
  return whole ? tokens : { skipped: tooLong };
}

/** What prompts count; no key where they do not train. */
function promptWeightOf({ promptWeight: prompt = 0, systemWeight: system = prompt }: RowTokenOptions): {
  promptWeight?: PromptWeight;
} {
  for (const [name, weight] of Object.entries({ promptWeight: prompt, systemWeight: system }))
    if (!(weight >= 0 && weight < Infinity)) refuse(name, weight, "a finite number, 0 or more");
  return prompt === 0 && system === 0 ? {} : { promptWeight: { prompt, system } };
}

/** Adds file and row to what is said of a text. */
function named<T>(where: () => string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UserError) || error.message.startsWith(where())) throw error;
    throw new UserError(error.code, error.message, { where: where(), cause: error });
  }
}

function cutRow(
  row: Row,
  tokenizer: Tokenizer,
  options: RowTokenOptions,
  where: () => string,
): TokenizedRow | { skipped: string } {
  const { maxTokens, template, systemPrompt, separator = "\n", names = propertyNames } = options;
  if (row.tokens) return givenTokens(row.tokens, tokenizer, options, where);
  if (row.messages && (template ?? tokenizer.chatTemplate) !== undefined)
    return chatTokens(opened(row, systemPrompt), tokenizer, options);
  if (row.prompt === undefined || row.response === undefined) {
    throw new UserError(
      "missing-chat-template",
      "the tokenizer has no chat template, so conversations cannot be tokenized",
      {
        where: where(),
        fix: `Use an instruction-tuned model, give a chat template (${names("chatTemplate")}), or give prompt and response columns.`,
      },
    );
  }
  const prompt = row.messages ? row.prompt + separator : row.prompt;
  const { spans } = row;
  return tokenizePromptResponse(tokenizer, prompt, row.response, { maxTokens, spans, ...promptWeightOf(options) });
}

/** The row with a system message before its conversation, unless it has one. */
function opened(row: Row, systemPrompt: string | undefined): Row {
  const { messages = [], messageWeights } = row;
  if (systemPrompt === undefined || messages.slice(0, 1).some(isSystem)) return row;
  const weights = messageWeights && { messageWeights: [1, ...messageWeights] };
  return { ...row, messages: [{ role: "system", content: systemPrompt }, ...messages], ...weights };
}

/** A system message from a column of its own is left out where the template refuses it. */
function chatTokens(row: Row, tokenizer: Tokenizer, options: RowTokenOptions): TokenizedRow | { skipped: string } {
  const { messages, messageWeights, systemColumn } = row;
  try {
    return templateTokens(row, tokenizer, options);
  } catch (error) {
    if (systemColumn === undefined || !(error instanceof UserError) || error.code !== "invalid-chat-template")
      throw error;
    const weights = messageWeights && { messageWeights: messageWeights.slice(1) };
    const tokens = templateTokens({ ...row, messages: messages!.slice(1), ...weights }, tokenizer, options);
    return "skipped" in tokens ? tokens : { ...tokens, unused: [systemColumn] };
  }
}

function templateTokens(
  { messages, messageWeights, tools, documents }: Row,
  tokenizer: Tokenizer,
  options: RowTokenOptions,
): TokenizedRow | { skipped: string } {
  const { maxTokens, template, trainTurns, names } = options;
  const tokens = tokenizeConversation(tokenizer, messages!, {
    ...{ maxTokens, template, trainTurns, tools, documents, weights: messageWeights, names },
    ...promptWeightOf(options),
  });
  const given = { tools, documents };
  const idle = (["tools", "documents"] as const).filter(
    (name) => given[name] !== undefined && !templateReads(tokenizer, name, template),
  );
  if ("skipped" in tokens || idle.length === 0) return tokens;
  const remarks = idle.map((name) => `the chat template has no place for the row's ${name}, which are not used`);
  return { ...tokens, remarks: [...(tokens.remarks ?? []), ...remarks] };
}

function givenTokens(
  { ids, response, dataWeights, endOfTurn: given }: GivenTokens,
  tokenizer: Tokenizer,
  options: RowTokenOptions,
  where: () => string,
): TokenizedRow | { skipped: string } {
  const stray = ids.find((id) => id < 0 || id >= tokenizer.vocabularySize);
  if (stray !== undefined) {
    throw new UserError(
      "tokenizer-mismatch",
      `the token id ${stray} is not in the vocabulary of ${tokenizer.vocabularySize}`,
      {
        where: where(),
        fix: "The row was tokenized for another model: give text instead.",
      },
    );
  }
  const length = Math.min(ids.length, options.maxTokens ?? ids.length);
  const kept = response.slice(0, length);
  if (!kept.includes(1)) return { skipped: beyondLimit };
  const ends = new Set(tokenizer.endOfText ?? []);
  const endOfTurn =
    given?.slice(0, length) ??
    Uint8Array.from(kept, (mark, t) => (mark === 1 && response[t + 1] !== 1 && ends.has(ids[t]!) ? 1 : 0));
  const { prompt = 0 } = promptWeightOf(options).promptWeight ?? {};
  const weights = prompt === 0 ? dataWeights : givenWeights(response, dataWeights, prompt);
  const weighed = weights && { dataWeights: weights.slice(0, length) };
  return { ids: ids.slice(0, length), response: kept, endOfTurn, ...weighed, truncated: length < ids.length };
}

/** What a row's tokens count where those before its last response token train too, but for the first. */
function givenWeights(response: Uint8Array, dataWeights: Float32Array | undefined, prompt: number): Float32Array {
  const last = response.lastIndexOf(1);
  return Float32Array.from(response, (mark, t) => {
    if (mark === 1) return dataWeights?.[t] ?? 1;
    return t > 0 && t < last ? prompt : 0;
  });
}
