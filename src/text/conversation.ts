import { UserError } from "../system/errors.ts";
import { answerSpan, markedSpans, type AnswerSpan, type WrittenConversation } from "./answer-spans.ts";
import type { ChatMessage } from "./chat-template.ts";
import { answersAmong, callText, isAnswer, isEmpty, templateMessages, unwrittenKeys, without } from "./message-keys.ts";
import { templateWriter, type TemplateInputs } from "./template-writer.ts";
import { tokenRow, type TokenizedRow } from "./token-row.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface ConversationOptions extends TemplateInputs {
  /** Longer rows are cut at their end. */
  maxTokens?: number | undefined;
  /** Instead of the tokenizer's own. */
  template?: string | undefined;
  /** Which answers train: all (default), or the last one alone. */
  trainTurns?: "all" | "last" | undefined;
  /** What each message's answer counts, one number per message; 0: it does not train. Default: all count 1. */
  weights?: readonly number[] | undefined;
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
  { maxTokens, template, tools, documents, trainTurns = "all", weights }: ConversationOptions = {},
): TokenizedRow | { skipped: string } {
  const writer = templateWriter(tokenizer, template);
  const messages = templateMessages(given, writer).map((message) => without(message, callText));
  const inputs = { tools, documents };
  const remarks = new Set<string>();
  let text: string | undefined;
  const whole = (): string => (text ??= writer.write(messages, false, inputs));
  const { spoken, others } = unwrittenKeys(messages, writer, inputs, whole);
  if (spoken !== undefined) return { skipped: `the chat template does not write "${spoken}", a part of the answer` };
  for (const key of others) remarks.add(`the chat template does not write "${key}" of messages`);
  const ids = tokenizer.encode(whole());
  const ends = new Set([...(tokenizer.endOfText ?? []), ...tokenizer.specialIds]);
  const conversation = { tokenizer, writer, messages, inputs, text: whole(), ids, ends };
  const spans = answersIn(conversation, { trainTurns, weights }, remarks);
  if ("skipped" in spans) return spans;
  for (const remark of lostRemarks(conversation)) remarks.add(remark);
  const row = tokenRow(conversation.ids, spans, maxTokens);
  return "skipped" in row || remarks.size === 0 ? row : { ...row, remarks: [...remarks] };
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
  { trainTurns, weights }: Pick<ConversationOptions, "trainTurns" | "weights">,
  remarks: Set<string>,
): (AnswerSpan & { weight?: number })[] | { skipped: string } {
  const { messages } = conversation;
  const answers = answersAmong(messages);
  const marked = markedSpans(conversation);
  if (marked === "shares-white-space") return { skipped: sharedSpace };
  let spans: AnswerSpan[] = marked ?? [];
  if (marked === undefined)
    for (const k of trainTurns === "last" ? answers.slice(-1) : answers) {
      if (weights?.[k] === 0) continue;
      const found = answerSpan(conversation, k);
      if (found === "shares-white-space") return { skipped: sharedSpace };
      if (found.remark !== undefined) remarks.add(found.remark);
      spans.push(found.span);
    }
  if (trainTurns === "last") spans = spans.slice(-1);
  if (weights === undefined) return spans;
  const weighed = spans.map((span) => ({ ...span, weight: weightOf(span, weights) }));
  if (answers.length > 0 && weighed.every(({ weight }) => weight === 0))
    return { skipped: "every answer is marked as not to be trained" };
  return weighed;
}

const sharedSpace = "the response begins with white space that shares a token with the chat template";

function weightOf({ message }: AnswerSpan, weights: readonly number[]): number {
  if (message !== undefined) return weights[message] ?? 1;
  throw new UserError(
    "unsupported-chat-template",
    "the chat template does not mark each answer once, so that no answer's weight can be told",
    { where: "chat template", fix: "Leave the weights of messages out, or give a template that marks each answer." },
  );
}

/** Names messages, and answers, that are not in the text as they stand in the data. */
function* lostRemarks({ messages, text }: WrittenConversation): Generator<string> {
  for (const { role, content } of messages) {
    if (isEmpty(content) || text.includes(content!.trim())) continue;
    if (isAnswer({ role })) yield "the chat template leaves out a part of an answer's text (its thinking, as a rule)";
    else yield `the chat template does not write a message of the role "${role}" as it stands`;
  }
}
