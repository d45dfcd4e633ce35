import { UserError } from "../system/errors.ts";
import { boundary, type AnswerSpan, type WrittenConversation } from "./answer-spans.ts";
import { weightsOfSpans, type AnswerWeight, type CharacterSpan } from "./character-spans.ts";
import { contentPlaces } from "./content-places.ts";
import { isSystem } from "./message-keys.ts";
import type { PromptWeight } from "./token-row.ts";

/**
 * An answer with what its message counts, and what spans of it do.
 *
 * @throws UserError where the template, or the tokenizer, does not tell which tokens are meant
 */
export function weighedSpan(
  conversation: WrittenConversation,
  span: AnswerSpan,
  weights: readonly AnswerWeight[],
): AnswerSpan {
  const { message, weight: own = 1 } = span;
  if (message === undefined)
    throw new UserError(
      "unsupported-chat-template",
      "the chat template does not mark each answer once, so that no answer's weight can be told",
      { where: "chat template", fix: "Leave the weights of messages out, or give a template that marks each answer." },
    );
  const given = weights[message] ?? 1;
  const { weight, spans } = typeof given === "number" ? { weight: given, spans: [] } : given;
  if (own * weight === 0 || spans.length === 0) return { ...span, weight: own * weight };
  return { ...span, weight: own * weight, tokenWeights: tokenWeightsOf(conversation, span, message, spans) };
}

/** What each of an answer's tokens counts by spans of its message's content. */
function tokenWeightsOf(
  conversation: WrittenConversation,
  { start, end, place }: AnswerSpan,
  message: number,
  spans: readonly CharacterSpan[],
): Float64Array {
  const { tokenizer, text, ids } = conversation;
  const placeOf = contentPlaces(
    conversation,
    message,
    new Set(spans.flatMap(({ start: from, end: to }) => [from, to])),
  );
  const characterAt = (offset: number): number =>
    placeOf.get(offset)! < place ? 0 : [...text.slice(place, placeOf.get(offset))].length;
  return weightsOfSpans(
    {
      tokenizer,
      text: text.slice(place),
      ids: ids.slice(start, end),
      encodePrefix: (length) => tokenizer.encode(text.slice(0, place + length)).slice(start),
    },
    spans.map((each) => ({ ...each, start: characterAt(each.start), end: characterAt(each.end) })),
  );
}

/**
 * Tokens up to the first message that is not the system's; 0 where all prompts count alike.
 *
 * @throws UserError where the template does not write the system's message apart
 */
export function systemEnd(
  { tokenizer, writer, messages, inputs, text, ids }: WrittenConversation,
  { prompt, system }: PromptWeight,
): number {
  const count = messages.findIndex((message) => !isSystem(message));
  if (count <= 0 || prompt === system) return 0;
  const written = writtenAlone(() => writer.write(messages.slice(0, count), false, inputs));
  const end = written !== undefined && text.startsWith(written) ? boundary(tokenizer, ids, written) : undefined;
  if (end !== undefined) return end;
  throw new UserError(
    "unsupported-chat-template",
    "the chat template does not write the system's message apart from what follows it",
    { where: "chat template", fix: "Give data.promptWeight without data.systemWeight, or another template." },
  );
}

function writtenAlone(write: () => string): string | undefined {
  try {
    return write();
  } catch {
    return undefined; // some templates insist on a user's message
  }
}
