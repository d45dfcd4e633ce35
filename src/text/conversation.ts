import { UserError } from "../system/errors.ts";
import { compileChatTemplate, type ChatMessage, type ChatTemplate } from "./chat-template.ts";
import { startsWith, tokenRow, type ResponseSpan, type TokenizedRow } from "./token-row.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Tokens of a conversation through the chat template. Every assistant message is a response, with the token that ends
 * its turn; the white space behind that token and the header before the message are not. The bounds of a response are
 * those of the conversation rendered up to it, so the template must write a conversation's beginning the same way
 * whatever follows.
 *
 * @param options `maxTokens`: longer rows are cut at their end; `template`: instead of the tokenizer's own
 * @throws UserError if there is no template, if it fails, or if a response does not begin or end between two tokens
 */
export function tokenizeConversation(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  { maxTokens, template }: { maxTokens?: number; template?: string } = {},
): TokenizedRow | { skipped: string } {
  const render = rendererOf(tokenizer, template);
  const text = render(messages, false);
  const ids = tokenizer.encode(text);
  const spans: ResponseSpan[] = [];
  for (const [k, { role }] of messages.entries()) {
    if (role !== "assistant") continue;
    const before = k === 0 ? firstHeader(render, messages[0]!) : render(messages.slice(0, k), true);
    const after = k === messages.length - 1 ? text : render(messages.slice(0, k + 1), false);
    if (!text.startsWith(before) || !text.startsWith(after) || after.length < before.length) throw rewrites(k);
    const start = boundary(tokenizer, ids, before);
    const end = after === text ? ids.length : boundary(tokenizer, ids, after);
    if (start === undefined || end === undefined) {
      if (/^\s/.test(messages[k]!.content)) {
        return { skipped: "the response begins with white space that shares a token with the chat template" };
      }
      throw sharesToken(k);
    }
    spans.push(responseSpan(tokenizer, ids, start, end));
  }
  return tokenRow(ids, spans, maxTokens);
}

/** Tokens of a conversation up to where the model answers. */
export function renderPrompt(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  { template }: { template?: string } = {},
): number[] {
  return tokenizer.encode(rendererOf(tokenizer, template)(messages, true));
}

type Renderer = (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string;

const compiled = new Map<string, ChatTemplate>();
const mostCompiled = 16;

function rendererOf(tokenizer: Tokenizer, template = tokenizer.chatTemplate): Renderer {
  if (template === undefined) {
    throw new UserError("missing-chat-template", "the tokenizer has no chat template", {
      fix: "Use an instruction-tuned model, or give a chat template.",
    });
  }
  const render = compiled.get(template) ?? compileChatTemplate(template);
  if (!compiled.has(template)) {
    if (compiled.size >= mostCompiled) compiled.clear();
    compiled.set(template, render);
  }
  const { bosToken, eosToken } = tokenizer;
  return (messages, addGenerationPrompt) => render(messages, { bosToken, eosToken, addGenerationPrompt });
}

/** What stands before the answer of a conversation that begins with one: all that another answer leaves as it is. */
function firstHeader(render: Renderer, message: ChatMessage): string {
  const other = message.content.trimStart().startsWith("x") ? "y" : "x";
  const [one, two] = [message.content, other].map((content) => render([{ ...message, content }], false)) as [
    string,
    string,
  ];
  let length = 0;
  while (length < one.length && one[length] === two[length]) length++;
  return one.slice(0, length);
}

/** Number of tokens in a prefix of the text, or undefined if its end falls inside a token. */
function boundary(tokenizer: Tokenizer, ids: readonly number[], prefix: string): number | undefined {
  const prefixIds = tokenizer.encode(prefix);
  return startsWith(ids, prefixIds) ? prefixIds.length : undefined;
}

/** Leaves out the white space behind the last token that ends the turn, or behind everything if none does. */
function responseSpan(tokenizer: Tokenizer, ids: readonly number[], start: number, end: number): ResponseSpan {
  const ends = new Set([...(tokenizer.endOfText ?? []), ...tokenizer.specialIds]);
  let last = end;
  while (last > start && !ends.has(ids[last - 1]!) && tokenizer.piece(ids[last - 1]!).trim() === "") last--;
  const endsTurn = last > start && ends.has(ids[last - 1]!);
  return { start, end: last, endsTurn };
}

function rewrites(k: number): UserError {
  return new UserError(
    "unsupported-chat-template",
    `the chat template writes message ${k + 1} differently when others follow it`,
    {
      where: "chat template",
      fix: "Which tokens are the answer is then unclear: give a template that only appends, or rows with one answer.",
    },
  );
}

function sharesToken(k: number): UserError {
  return new UserError("unsupported-chat-template", `the answer in message ${k + 1} begins or ends inside a token`, {
    where: "chat template",
    fix: "Give a template with a special token or a line break around answers.",
  });
}
