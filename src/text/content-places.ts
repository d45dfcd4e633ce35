import { UserError } from "../system/errors.ts";
import type { WrittenConversation } from "./answer-spans.ts";
import { unusedSigns } from "./unused-signs.ts";

/**
 * Where a template writes places of a message's content. It writes the conversation once more with a mark at each
 * place, so that content may be trimmed, escaped or put between other texts; what is trimmed away has the place of what
 * is left beside it.
 *
 * @param k which message
 * @param offsets counted in Unicode code points, up to the content's length
 * @returns places in the conversation's text by offset, in UTF-16 units
 * @throws UserError if the template leaves out the part of the content with a place, writes it twice, or writes another
 *   text where there is a mark in it
 */
export function contentPlaces(
  conversation: Pick<WrittenConversation, "writer" | "messages" | "inputs" | "text">,
  k: number,
  offsets: ReadonlySet<number>,
): Map<number, number> {
  const { writer, messages, inputs, text } = conversation;
  const { content } = messages[k]!;
  if (content === null) throw unwritten(k, "does not write its content as text");
  const characters = [...content];
  const mark = unusedSigns(text + content, 1)[0]!;
  const marked = (places: readonly number[]): number[] | undefined => {
    const parts = places.map((place, i) => characters.slice(places[i - 1] ?? 0, place).join(""));
    const rest = characters.slice(places.at(-1)).join("");
    const changed = messages.map((message, i) =>
      i === k ? { ...message, content: [...parts, rest].join(mark) } : message,
    );
    const pieces = writer.write(changed, false, inputs).split(mark);
    if (pieces.join("") !== text || pieces.length !== places.length + 1) return undefined;
    let length = 0;
    return pieces.slice(0, -1).map((piece) => (length += piece.length));
  };
  const sorted = [...offsets].sort((a, b) => a - b);
  const together = marked(sorted);
  if (together !== undefined) return new Map(sorted.map((offset, i) => [offset, together[i]!]));
  return new Map(
    sorted.map((offset) => {
      for (const place of besideSpace(characters, offset)) {
        const found = marked([place]);
        if (found !== undefined) return [offset, found[0]!];
      }
      throw unwritten(k, `does not write character ${offset} of its content once, as it stands`);
    }),
  );
}

/** A place, and those that only white space parts from it: first behind it, then before it. */
function* besideSpace(characters: readonly string[], offset: number): Generator<number> {
  const isSpace = (place: number): boolean => characters[place]?.trim() === "";
  yield offset;
  for (let place = offset; isSpace(place); place++) yield place + 1;
  for (let place = offset; isSpace(place - 1); place--) yield place - 1;
}

function unwritten(k: number, what: string): UserError {
  return new UserError("unsupported-chat-template", `message ${k} has spans, and the chat template ${what}`, {
    where: "chat template",
    fix:
      "Which tokens the spans are is then unclear: give the weight of the whole message, spans of what the template " +
      "writes, or a template that writes messages as they stand.",
  });
}
