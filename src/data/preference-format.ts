import { isDeepStrictEqual } from "node:util";
import { asked, conversation, plainPair } from "./examples.ts";
import { textOf, type Raw } from "./fields.ts";
import type { Example, Fields, Format, Skipped } from "./format.ts";
import { holdsText } from "./lossy.ts";
import { isConversation, messagesOf, type Messages } from "./messages.ts";
import { concatenated, messagesOrText, trainedFrom } from "./prompt-formats.ts";

/** Pairs of a better and a worse answer, as text or as messages, whose prompt may be in both of them. */
export const preferenceFormat: Format = {
  name: "preference",
  title: "preference",
  names: {
    ...{ chosen: ["chosen"], rejected: ["rejected"], prompt: ["prompt", "question", "conversations"] },
    ...{ system: ["system"], history: ["history"], tools: ["tools"] },
  },
  required: [["chosen"], ["rejected"]],
  read(raw, fields) {
    const example = isConversation(raw[fields.chosen!]) ? chatPair(raw, fields) : textPair(raw, fields);
    if ("skipped" in example) return example;
    return { ...example, remarks: [...(example.remarks ?? []), chosenAlone] };
  },
};

/** What is said of rows of which the reader does not know that there is another side. */
export const chosenAlone = "of a preference pair the chosen answer trains, and the rejected one is not used";

function chatPair(raw: Raw, fields: Fields): Example | Skipped {
  const chosen = messagesOf(raw[fields.chosen!], fields.chosen!)!;
  const rejected = messagesOf(raw[fields.rejected!], fields.rejected!);
  const prompt = fields.prompt === undefined ? null : messagesOrText(raw, fields.prompt, "user");
  const repeats = prompt === null || sharedMessages(prompt, chosen) === prompt.messages.length;
  const whole = repeats ? chosen : concatenated(prompt, chosen);
  const shared = rejected === null ? 0 : sharedMessages(chosen, rejected);
  const from = Math.min(repeats ? shared : prompt.messages.length + shared, whole.messages.length - 1);
  return conversation(raw, fields, trainedFrom(whole, from));
}

function sharedMessages(one: Messages, two: Messages): number {
  const differs = one.messages.findIndex((message, i) => !isDeepStrictEqual(message, two.messages[i]));
  return differs < 0 ? one.messages.length : differs;
}

function textPair(raw: Raw, fields: Fields): Example | Skipped {
  const chosen = textOf(raw, fields.chosen);
  const given = textOf(raw, fields.prompt);
  if (
    given !== null &&
    (fields.prompt === "question" || [fields.system, fields.history].some((column) => holdsText(raw[column ?? ""])))
  )
    return asked(raw, fields, given, chosen);
  const rejected = textOf(raw, fields.rejected) ?? "";
  const repeats =
    given !== null && /\S\s+\S/.test(given) && [chosen, rejected].every((text) => text?.startsWith(given));
  if ((given !== null && !repeats) || chosen === null) return plainPair(raw, fields, given ?? "", chosen);
  const prompt = given ?? sharedPrompt(chosen, rejected);
  const example = plainPair(raw, fields, prompt, chosen.slice(prompt.length));
  return "skipped" in example ? example : { ...example, responseBegins: prompt };
}

/** What two answers have in common at their beginning, up to the last opening of an answer or the last whole word. */
function sharedPrompt(one: string, two: string): string {
  let length = 0;
  while (length < one.length && one[length] === two[length]) length++;
  const shared = one.slice(0, length);
  const opening = "\n\nAssistant:";
  const opened = shared.lastIndexOf(opening);
  return opened >= 0 ? shared.slice(0, opened + opening.length) : shared.replace(/\s*\S*$/, "");
}
