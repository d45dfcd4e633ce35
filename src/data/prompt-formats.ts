import type { AnswerWeight } from "../text/index.ts";
import { conversation } from "./examples.ts";
import { fromJsonText, isNumber, textOf, textOrNumberOf, valueIn, WrongField, type Raw } from "./fields.ts";
import type { Example, Fields, Format, Skipped } from "./format.ts";
import { isConversation, messagesOf, type Messages } from "./messages.ts";

/** A part of a row as messages: a conversation, or one text that is a message of the given role. */
export function messagesOrText(raw: Raw, column: string, role: "user" | "assistant"): Messages | null {
  if (isConversation(raw[column])) return messagesOf(raw[column], column);
  const content = textOf(raw, column);
  return content === null || content === "" ? null : { messages: [{ role, content }] };
}

/** Messages of which those from `from` on train, beside what their author marks. */
export function trainedFrom({ messages, messageWeights, remarks }: Messages, from: number): Messages {
  const isIdle = messages.slice(0, from).some(({ role }) => role === "assistant");
  const weights = messages.map((_, i) => (i < from ? 0 : (messageWeights?.[i] ?? 1)));
  return {
    messages,
    ...((isIdle || messageWeights !== undefined) && { messageWeights: weights }),
    ...(remarks && { remarks }),
  };
}

/** A prompt and a completion of which one or both are messages: the completion trains. */
export function completionExample(raw: Raw, fields: Fields): Example | Skipped {
  const prompt = messagesOrText(raw, fields.prompt!, "user");
  const completion = messagesOrText(raw, fields.response!, "assistant");
  if (prompt === null) return { skipped: "no prompt" };
  if (completion === null) return { skipped: "no response" };
  return replied(raw, fields, prompt, completion);
}

/** A conversation whose last part alone trains. */
function replied(raw: Raw, fields: Fields, prompt: Messages, reply: Messages): Example | Skipped {
  return conversation(raw, fields, trainedFrom(concatenated(prompt, reply), prompt.messages.length));
}

export function concatenated(first: Messages, second: Messages): Messages {
  const weights = (part: Messages): readonly AnswerWeight[] => part.messageWeights ?? part.messages.map(() => 1);
  const isWeighed = first.messageWeights !== undefined || second.messageWeights !== undefined;
  const remarks = [...(first.remarks ?? []), ...(second.remarks ?? [])];
  return {
    messages: [...first.messages, ...second.messages],
    ...(isWeighed && { messageWeights: [...weights(first), ...weights(second)] }),
    ...(remarks.length > 0 && { remarks }),
  };
}

/** Questions with an answer that a program can check, as verl writes them: there is no response to learn from. */
export const verifiableFormat: Format = {
  name: "verifiable",
  title: "question with a checkable answer",
  names: {
    prompt: ["prompt"],
    rewardModel: ["reward_model"],
    answer: ["answer", "ground_truth", "solution"],
    ...{ system: ["system"], history: ["history"], tools: ["tools"] },
  },
  required: [["prompt"], ["rewardModel", "answer"]],
  read(raw, fields) {
    const prompt = messagesOrText(raw, fields.prompt!, "user");
    if (prompt === null) return { skipped: "no prompt" };
    const answer = groundTruth(raw, fields.rewardModel) ?? textOrNumberOf(raw, fields.answer);
    if (answer === null || answer === "") return { skipped: "no answer" };
    const example = replied(raw, fields, prompt, { messages: [{ role: "assistant", content: answer }] });
    if ("skipped" in example) return example;
    const text = prompt.messages.map(({ content }) => content ?? "").join("\n\n");
    return { ...example, prompt: text, response: answer, answer };
  },
};

/** `reward_model.ground_truth`: text, a number, or a list of one. */
function groundTruth(raw: Raw, column: string | undefined): string | null {
  const value = valueIn(raw, column);
  if (value === undefined) return null;
  const model = fromJsonText(value);
  const truth =
    typeof model === "object" && model !== null ? (model as { ground_truth?: unknown }).ground_truth : value;
  const [only, ...more] = Array.isArray(truth) ? (truth as unknown[]) : [truth];
  if (only === null || only === undefined) return null;
  if (more.length === 0 && (typeof only === "string" || isNumber(only))) return String(only);
  throw new WrongField(`"${column}.ground_truth" is neither a text nor a number`);
}
