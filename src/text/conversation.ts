import type { OptionNames } from "../system/option-names.ts";
import { answerSpan, markedSpans, type AnswerSpan, type WrittenConversation } from "./answer-spans.ts";
import { systemEnd, weighedSpan } from "./answer-weights.ts";
import type { AnswerWeight } from "./character-spans.ts";
import type { ChatMessage } from "./chat-template.ts";
import {
  answersAmong,
  callText,
  isAnswer,
  isEmpty,
  templateMessages,
  unwrittenKeys,
  without,
  withoutDevelopers,
} from "./message-keys.ts";
import { templateWriter, type TemplateInputs } from "./template-writer.ts";
import { tokenRow, type PromptWeight, type TokenizedRow } from "./token-row.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface ConversationOptions extends TemplateInputs {
  /** Longer rows are cut at their end. */
  maxTokens?: number | undefined;
  /** Instead of the tokenizer's own. */
  template?: string | undefined;
  /** Which answers train: all (default), or the last one alone. */
  trainTurns?: "all" | "last" | undefined;
  /**
   * What each message's answer counts, one entry per message; 0: it does not train. Default: all count 1. Spans are of
   * the message's content, and are found where the template writes it.
   */
  weights?: readonly AnswerWeight[] | undefined;
  /** What stands outside of answers trains with this weight, up to the last one that trains. Default: it does not. */
  promptWeight?: PromptWeight | undefined;
  /** How messages call the options of who reads the data. */
  names?: OptionNames | undefined;
}

/**
 * Tokens of a conversation through the chat template. Every assistant message is a response, with the token that ends
 * its turn; the white space behind that token and the header before the message are not. Where the template marks
 * answers by `{% generation %}`, exactly what it marks is the response.
 *
 * All that the template reads of a message is given to it; a message is skipped, with the key's name, if the template
 * leaves out a part of an answer (calls of tools, thinking), and other keys that it leaves out are in `remarks`.
 *
 * @throws UserError if there is no template, if it fails, if it does not say where an answer is, or if a response does
 *   not begin or end between two tokens
 */
export function tokenizeConversation(
  tokenizer: Tokenizer,
  given: readonly ChatMessage[],
  options: ConversationOptions = {},
): TokenizedRow | { skipped: string } {
  const { maxTokens, template, tools, documents, promptWeight, names } = options;
  const writer = templateWriter(tokenizer, template);
  const inputs = { tools, documents };
  const known = withoutDevelopers(given, writer, inputs);
  const messages = templateMessages(known, writer).map((message) => without(message, callText));
  const remarks = new Set<string>();
  let text: string | undefined;
  const whole = (): string => (text ??= writer.write(messages, false, inputs));
  const { spoken, others } = unwrittenKeys(messages, writer, inputs, whole);
  if (spoken !== undefined) return { skipped: `the chat template does not write "${spoken}", a part of the answer` };
  for (const key of others) remarks.add(`the chat template does not write "${key}" of messages`);
  const ids = tokenizer.encode(whole());
  const ends = endsOf(tokenizer);
  const conversation = { tokenizer, writer, messages, inputs, text: whole(), ids, ends, names };
  const spans = answersIn(conversation, options, remarks);
  if ("skipped" in spans) return spans;
  for (const remark of lostRemarks(conversation)) remarks.add(remark);
  const systemTokens = promptWeight && systemEnd(conversation, promptWeight);
  const row = tokenRow(conversation.ids, spans, { maxTokens, promptWeight, systemTokens });
  return "skipped" in row || remarks.size === 0 ? row : { ...row, remarks: [...remarks] };
}

const ends = new WeakMap<readonly number[], { of: Tokenizer["endOfText"]; ids: ReadonlySet<number> }>();

/** Ids that end a turn, made once for each tokenizer. */
function endsOf({ endOfText, specialIds }: Tokenizer): ReadonlySet<number> {
  const known = ends.get(specialIds);
  if (known !== undefined && known.of === endOfText) return known.ids;
  const ids = new Set([...(endOfText ?? []), ...specialIds]);
  ends.set(specialIds, { of: endOfText, ids });
  return ids;
}

/** Tokens of a conversation up to where the model answers. */
export function renderPrompt(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  { template, ...inputs }: { template?: string | undefined } & TemplateInputs = {},
): number[] {
  return tokenizer.encode(templateWriter(tokenizer, template).write(messages, true, inputs));
}

/** Whether the template has a use for a list of tools, or of documents. */
export function templateReads(tokenizer: Tokenizer, name: "tools" | "documents", template?: string): boolean {
  return templateWriter(tokenizer, template).reads(name);
}

function answersIn(
  conversation: WrittenConversation,
  { trainTurns = "all", weights, promptWeight }: ConversationOptions,
  remarks: Set<string>,
): AnswerSpan[] | { skipped: string } {
  const { messages } = conversation;
  const answers = answersAmong(messages);
  const trained = trainTurns === "last" ? answers.slice(-1) : answers.filter((k) => weights?.[k] !== 0);
  // where prompts train too, answers that do not must be told from them
  const wanted = promptWeight ? answers : trained;
  const marked = markedSpans(conversation, (remark) => remarks.add(remark));
  let spans: AnswerSpan[] = marked ?? [];
  if (marked === undefined)
    for (const k of wanted) {
      if (!promptWeight && weights?.[k] === 0) continue;
      const found = answerSpan(conversation, k);
      if (found === "shares-white-space") return { skipped: sharedSpace };
      if (found.remark !== undefined && trained.includes(k)) remarks.add(found.remark);
      spans.push(found.span);
    }
  if (trainTurns === "last")
    spans = promptWeight ? spans.map((span, i) => (i < spans.length - 1 ? idle(span) : span)) : spans.slice(-1);
  if (weights === undefined) return spans;
  const weighed = spans.map((span) => weighedSpan(conversation, span, weights));
  if (answers.length > 0 && weighed.every(({ weight }) => weight === 0))
    return { skipped: "every answer is marked as not to be trained" };
  return weighed;
}

const idle = (span: AnswerSpan): AnswerSpan => ({ ...span, weight: 0 });

const sharedSpace = "the response begins with white space that shares a token with the chat template";

/** Names messages, and answers, that are not in the text as they stand in the data. */
function* lostRemarks({ messages, text }: WrittenConversation): Generator<string> {
  for (const { role, content } of messages) {
    if (isEmpty(content) || text.includes(content!.trim())) continue;
    if (isAnswer({ role })) yield "the chat template leaves out a part of an answer's text (its thinking, as a rule)";
    else yield `the chat template does not write a message of the role "${role}" as it stands`;
  }
}
