import type { ChatMessage } from "./chat-template.ts";
import type { TemplateInputs, TemplateWriter } from "./template-writer.ts";
import type { Tokenizer } from "./tokenizer.ts";

const instead = "answers are found by what the template writes for each message instead";
/** What is said of a row whose text would be another with signs at the marks: a filter saw them, for example. */
export const lostMarksRemark =
  "the chat template changes what its {% generation %} blocks hold after they are written, so that their bounds cannot " +
  `be told; ${instead}`;
/** What is said of a row with answers of which the template marks none. */
export const noMarksRemark = `the chat template has {% generation %} blocks, but writes no answer in one; ${instead}`;

/** What is said of a row with a token of which a part stands in a block. */
export const sharedTokenRemark =
  "a {% generation %} block of the chat template begins or ends inside a token, which trains as a whole (as in transformers)";

/** What is said of a row with an earlier answer that the template writes otherwise than the last one. */
export const rewrittenRemark =
  "the chat template writes an earlier answer otherwise than the last one (without its thinking, as a rule); it trains " +
  "as it is written there";

/** A conversation as tokens, and how to write its beginnings. */
interface Written {
  tokenizer: Tokenizer;
  writer: TemplateWriter;
  messages: readonly ChatMessage[];
  inputs: TemplateInputs;
  ids: readonly number[];
}

/**
 * What is said where the finished conversation does not begin with what opens an answer. Both are quoted in whole tokens:
 * a line break more makes another token of all line breaks there.
 * @param k which message
 * @param about tokens of the conversation that ends with the opening, and how many of the finished one's stand before the
 *   answer
 */
export function openingRemark(
  { tokenizer, writer, messages, inputs, ids }: Written,
  k: number,
  { openedIds, start }: { openedIds: readonly number[]; start: number },
): string {
  const unopened = tokenizer.encode(writer.write(messages.slice(0, k), false, inputs));
  const before = ids.slice(0, start);
  const shared = sharedTokens(openedIds, before);
  const header = sharedTokens(openedIds, unopened);
  const opening = openedIds.slice(header);
  if (shared < header && before.slice(-opening.length).join() === opening.join()) return earlierRemark;
  // what differs before the opening is text of the row, which is not quoted
  const wanted = spelled(tokenizer, shared < header ? opening : openedIds.slice(shared));
  const found = spelled(tokenizer, shared < header ? [] : before.slice(shared));
  const lack = found === "" ? "which the finished conversation lacks" : `where the finished conversation has ${found}`;
  return (
    `the chat template opens an answer with ${wanted}, ${lack}: what follows the header there trains, and the model ` +
    "answers another opening than it was trained on"
  );
}

const earlierRemark =
  "the chat template writes what stands before an answer otherwise once more follows: the model answers another prompt " +
  "than it was trained on";

/**
 * What is said where an answer is written as the last one is, and the template only ends conversations with more.
 * @param asLast tokens of the conversation up to the answer
 */
export function closingRemark(
  { tokenizer, ids }: Pick<Written, "tokenizer" | "ids">,
  asLast: readonly number[],
): string {
  const end = spelled(tokenizer, asLast.slice(sharedTokens(asLast, ids)));
  return `the chat template writes ${end} behind the last message alone: an earlier answer trains without it`;
}

function sharedTokens(one: readonly number[], two: readonly number[]): number {
  const apart = one.findIndex((id, at) => id !== two[at]);
  return apart < 0 ? one.length : apart;
}

/** Tokens as a quoted text, empty for none. */
function spelled(tokenizer: Tokenizer, ids: readonly number[]): string {
  return ids.length === 0 ? "" : JSON.stringify(ids.map((id) => tokenizer.piece(id)).join(""));
}
