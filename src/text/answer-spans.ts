import { UserError } from "../system/errors.ts";
import { propertyNames, type OptionNames } from "../system/option-names.ts";
import type { ChatMessage } from "./chat-template.ts";
import { answersAmong } from "./message-keys.ts";
import { tokenRanges } from "./token-ranges.ts";
import { startsWith, type ResponseSpan } from "./token-row.ts";
import {
  closingRemark,
  lostMarksRemark,
  noMarksRemark,
  openingRemark,
  rewrittenRemark,
  sharedTokenRemark,
} from "./template-remarks.ts";
import type { TemplateInputs, TemplateWriter } from "./template-writer.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** An answer, as tokens. */
export interface AnswerSpan extends ResponseSpan {
  /** Which message it is; absent where the template's own marks do not say. */
  message?: number;
  /** Where its first token begins in the text, in UTF-16 units. */
  place: number;
}

/** A conversation as one text, and how to write parts and variants of it. */
export interface WrittenConversation {
  tokenizer: Tokenizer;
  writer: TemplateWriter;
  messages: readonly ChatMessage[];
  inputs: TemplateInputs;
  text: string;
  ids: readonly number[];
  /** Ids that end a turn. */
  ends: ReadonlySet<number>;
  names: OptionNames | undefined;
}

/**
 * The answers that a template itself marks by `{% generation %}`; undefined where it marks none. Where a mark falls inside a
 * token, the whole token is of the answer, as in transformers 5.23 (`return_assistant_tokens_mask` takes the tokens of a
 * block's first and last character, and all between them). What transformers does where a tokenizer leaves white space out
 * of its offsets, and a block begins with such, is not imitated: it then marks neither that block nor any later one.
 * @param onRemark called with what to say of marks that cannot be used, or lie inside a token
 * @throws UserError if a mark falls inside a token and the tokenizer does not say where its tokens stand
 */
export function markedSpans(
  conversation: WrittenConversation,
  onRemark: (remark: string) => void,
): AnswerSpan[] | undefined {
  const { writer, messages, inputs, text, ids, ends, tokenizer } = conversation;
  const written = writer.writeMarked?.(messages, inputs, text);
  if (written === undefined) return undefined;
  const answers = answersAmong(messages);
  const isLost = written.text !== text;
  if (isLost || written.marked.length === 0) {
    if (answers.length > 0) onRemark(isLost ? lostMarksRemark : noMarksRemark);
    return undefined;
  }
  const isOneEach = written.marked.length === answers.length;
  const spans: AnswerSpan[] = [];
  for (const [i, { start, end }] of written.marked.entries()) {
    if (start === end) continue;
    const message = answers[i] ?? messages.length - 1;
    const [first, last] = [start, end].map((place) => boundary(tokenizer, ids, text.slice(0, place)));
    const found =
      first === undefined || last === undefined
        ? coveringTokens(conversation, { start, end })
        : { first, last, place: start, isWhole: true };
    if (found === undefined) throw sharesToken(message);
    if (!found.isWhole) onRemark(sharedTokenRemark);
    const from = Math.max(found.first, spans.at(-1)?.end ?? 0); // two blocks may share a token
    if (from >= found.last) continue;
    const endsTurn = ends.has(ids[found.last - 1]!);
    spans.push({ start: from, end: found.last, endsTurn, place: found.place, ...(isOneEach && { message }) });
  }
  return spans;
}

/**
 * The tokens that spell a part of the text between two places, and where the first of them begins; undefined where the
 * tokenizer does not tell.
 */
function coveringTokens(
  { tokenizer, text, ids }: WrittenConversation,
  { start, end }: { start: number; end: number },
): { first: number; last: number; place: number; isWhole: boolean } | undefined {
  const encodePrefix = (length: number): readonly number[] => tokenizer.encode(text.slice(0, length));
  const ranges = tokenRanges({ tokenizer, text, ids, encodePrefix });
  if (ranges === undefined) return undefined;
  const characters = [...text];
  const [from, to] = [start, end].map((place) => [...text.slice(0, place)].length) as [number, number];
  const first = ranges.findIndex((range) => range.to > from);
  const last = ranges.findLastIndex((range) => range.from < to && range.to > range.from) + 1;
  if (first < 0 || first >= last) return undefined;
  const isWhole = ranges[first]!.from >= from && ranges[last - 1]!.to <= to;
  return { first, last, place: characters.slice(0, ranges[first]!.from).join("").length, isWhole };
}

/**
 * Where one answer begins and ends. The bounds are those of the conversation written up to it, if the template writes a
 * conversation's beginning the same way whatever follows. Where it does not (templates that leave the thinking out of
 * finished answers, or whose opening of an answer is not in the finished text), the answer is what changes when its
 * message is another, and the token that ends the turn.
 *
 * @param k which message
 * @throws UserError if the message is not in the text, or begins or ends inside a token
 */
export function answerSpan(
  conversation: WrittenConversation,
  k: number,
): { span: AnswerSpan; remark?: string } | "shares-white-space" {
  const { writer, messages, inputs, text, ids, tokenizer } = conversation;
  const opened = k === 0 ? undefined : writer.write(messages.slice(0, k), true, inputs);
  const after = k === messages.length - 1 ? text : writer.write(messages.slice(0, k + 1), false, inputs);
  const opensAlike = opened !== undefined && text.startsWith(opened);
  const endsAlike = text.startsWith(after) && after.length >= (opened?.length ?? 0);
  const changed = opensAlike && endsAlike ? undefined : changedPart(conversation, k);
  const from = opensAlike ? opened.length : changed!.start;
  const to = endsAlike ? after.length : Math.max(from, changed!.end);
  const start = boundary(tokenizer, ids, text.slice(0, from));
  const end = to === text.length ? ids.length : boundary(tokenizer, ids, text.slice(0, to));
  if (start === undefined || end === undefined) {
    if (opensWithSpace(messages[k]!)) return "shares-white-space";
    throw sharesToken(k);
  }
  const found = responseSpan(conversation, start, endsAlike ? end : turnEnd(conversation, end));
  const span = { ...found, message: k, place: from };
  if (opened !== undefined && !opensAlike)
    return { span, remark: openingRemark(conversation, k, { openedIds: tokenizer.encode(opened), start }) };
  if (endsAlike) return { span };
  const isSame = to <= sharedLength(text, after);
  return { span, remark: isSame ? closingRemark(conversation, tokenizer.encode(after)) : rewrittenRemark };
}

/** What of the text is another when the message is: two others, as one may begin or end like the message itself. */
function changedPart(
  { writer, messages, inputs, text, names = propertyNames }: WrittenConversation,
  k: number,
): { start: number; end: number } {
  let [start, end] = [text.length, 0];
  for (const content of ["x", "y"]) {
    const others = messages.map((message, i) => (i === k ? { role: message.role, content } : message));
    const other = writer.write(others, false, inputs);
    if (other === text && messages[k]!.content?.trim() !== content) throw rewrites(k, names);
    start = Math.min(start, sharedLength(text, other));
    end = Math.max(end, text.length - sharedLength(text, other, true));
  }
  if (end < start) throw rewrites(k, names);
  return { start, end };
}

/** Whether an answer begins with white space of its own, be it behind its thinking. */
function opensWithSpace({ content }: ChatMessage): boolean {
  return /^\s|<\/think>\s/.test(content ?? "");
}

function sharedLength(one: string, two: string, fromEnd = false): number {
  const most = Math.min(one.length, two.length);
  let length = 0;
  const at = (text: string): string => text[fromEnd ? text.length - 1 - length : length]!;
  while (length < most && at(one) === at(two)) length++;
  return length;
}

/** Number of tokens in a prefix of the text, or undefined if its end falls inside a token. */
export function boundary(tokenizer: Tokenizer, ids: readonly number[], prefix: string): number | undefined {
  const prefixIds = tokenizer.encode(prefix);
  return startsWith(ids, prefixIds) ? prefixIds.length : undefined;
}

/** Leaves out the white space behind the last token that ends the turn, or behind everything if none does. */
function responseSpan({ tokenizer, ids, ends }: WrittenConversation, start: number, end: number): ResponseSpan {
  let last = end;
  while (last > start && !ends.has(ids[last - 1]!) && tokenizer.piece(ids[last - 1]!).trim() === "") last--;
  const endsTurn = last > start && ends.has(ids[last - 1]!);
  return { start, end: last, endsTurn };
}

/** Behind the token that ends the turn, if nothing but white space stands before it. */
function turnEnd({ tokenizer, ids, ends }: WrittenConversation, end: number): number {
  let next = end;
  while (next < ids.length && !ends.has(ids[next]!) && tokenizer.piece(ids[next]!).trim() === "") next++;
  return ends.has(ids[next]!) ? next + 1 : end;
}

function rewrites(k: number, names: OptionNames): UserError {
  return new UserError(
    "unsupported-chat-template",
    `the chat template writes message ${k + 1} differently when others follow it`,
    {
      where: "chat template",
      fix:
        `Which tokens are the answer is then unclear: train the last turns alone (${names("trainTurns", "last")}), give a ` +
        `template that only appends (${names("chatTemplate")}), or rows with one answer.`,
    },
  );
}

function sharesToken(k: number): UserError {
  return new UserError("unsupported-chat-template", `the answer in message ${k + 1} begins or ends inside a token`, {
    where: "chat template",
    fix: "Give a template with a special token or a line break around answers.",
  });
}
