import type { Row } from "../data/dataset.ts";
import type { CharacterSpan } from "../text/index.ts";
import type { Place } from "./kinds/kind.ts";

/** A row, and which characters of its answer are wrong. */
export interface MarkedRow {
  readonly row: Row;
  readonly places: readonly Place[];
  /** The token that ends the answer is wrong. */
  readonly endsEarly: boolean;
}

/** The text of a row's last answer; undefined where it has none as text. */
export function answerOf({ messages, response }: Row): string | undefined {
  const said = messages?.findLast(({ role }) => role === "assistant")?.content;
  return typeof said === "string" && said !== "" ? said : response;
}

/** The row with another text as its last answer; what counted for characters of the old text counts no longer. */
export function withAnswer(row: Row, text: string): Row {
  const { messages, messageWeights } = row;
  const last = messages?.findLastIndex(({ role }) => role === "assistant") ?? -1;
  const rest: Row = { ...row };
  delete rest.spans;
  return {
    ...rest,
    ...(row.response !== undefined && { response: text }),
    ...(messages && { messages: messages.map((each, i) => (i === last ? { ...each, content: text } : each)) }),
    ...(messageWeights && {
      messageWeights: messageWeights.map((each, i) => (i === last && typeof each !== "number" ? each.weight : each)),
    }),
  };
}

/** What a marked token counts in a copy of the row that is made to find it. */
export const markWeight = 2;

/** The row with its wrong characters as spans of `markWeight`, and all else of weight 1: tokens then tell where they are. */
export function withMarks({ row, places }: MarkedRow): Row {
  const rest: Row = { ...row };
  delete rest.weights;
  delete rest.messageWeights;
  delete rest.spans;
  const text = answerOf(row) ?? "";
  const spans = places.map((place) => spanOf(text, place));
  const last = row.messages?.findLastIndex(({ role }) => role === "assistant") ?? -1;
  if (spans.length === 0) return rest;
  return {
    ...rest,
    spans,
    ...(row.messages && { messageWeights: row.messages.map((_, i) => (i === last ? { weight: 1, spans } : 1)) }),
  };
}

/** The place in code points, as spans count. */
function spanOf(text: string, { start, end }: Place): CharacterSpan {
  const before = [...text.slice(0, start)].length;
  return { start: before, end: before + [...text.slice(start, end)].length, weight: markWeight };
}
