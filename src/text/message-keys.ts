import { parseExactJson } from "../system/exact-json.ts";
import type { ChatMessage } from "./chat-template.ts";
import type { TemplateInputs, TemplateWriter } from "./template-writer.ts";

/** Whether the model says it: such messages train. */
export function isAnswer({ role }: Pick<ChatMessage, "role">): boolean {
  return role === "assistant";
}

/** Whether it is the system's, under either of its names. */
export function isSystem({ role }: Pick<ChatMessage, "role">): boolean {
  return role === "system" || role === "developer";
}

/** Which messages are answers. */
export function answersAmong(messages: readonly ChatMessage[]): number[] {
  return [...messages.keys()].filter((k) => isAnswer(messages[k]!));
}

/** Names under which data and templates know what a model thinks before it answers. */
const thinkingKeys = ["reasoning_content", "reasoning", "thinking"];

/** Keys that hold a part of what the model says: without them the model would be taught to say something else. */
const spokenKeys = [...thinkingKeys, "tool_calls", "tool_plan"];

/** Whether a message says something, be it text, thinking, or the call of a tool. */
export function saysSomething(message: ChatMessage): boolean {
  return ["content", "function_call", ...spokenKeys].some((key) => !isEmpty(message[key]));
}

/** Whether a value says nothing: it is missing, or an empty text, list or object. */
export function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/**
 * Messages under the names that the template reads: the thinking of an answer, and calls of tools in OpenAI's older
 * form (`function_call`) or as ShareGPT's turn of that name (see `callText`).
 */
export function templateMessages(messages: readonly ChatMessage[], { reads }: TemplateWriter): ChatMessage[] {
  return messages.map((message) => {
    if (!isAnswer(message)) return message;
    let named = message;
    const given = thinkingKeys.find((key) => !isEmpty(named[key]));
    const wanted = thinkingKeys.find((key) => reads(key));
    if (given !== undefined && wanted !== undefined && !reads(given))
      named = renamed(named, given, wanted, named[given]);
    const call = named.function_call;
    if (!isEmpty(call) && !reads("function_call") && isEmpty(named.tool_calls))
      named = renamed(named, "function_call", "tool_calls", [{ type: "function", function: call }]);
    const calls = callsOf(named[callText]);
    if (calls !== undefined && reads("tool_calls")) return { role: named.role, content: null, tool_calls: calls };
    return named;
  });
}

/**
 * Messages of the role `developer`, which is OpenAI's newer name of the system's, as the system's where the template
 * does not write them.
 */
export function withoutDevelopers(
  messages: readonly ChatMessage[],
  { reads, write }: TemplateWriter,
  inputs: TemplateInputs,
): readonly ChatMessage[] {
  const told = messages.filter(({ role, content }) => role === "developer" && !isEmpty(content));
  if (told.length === 0 || reads("developer")) return messages;
  try {
    const text = write(messages, false, inputs);
    if (told.every(({ content }) => text.includes(content!.trim()))) return messages;
  } catch {
    // a template that refuses the role may know the other
  }
  return messages.map((message) => (message.role === "developer" ? { ...message, role: "system" } : message));
}

/** Marks a message whose content is the call of a tool as JSON; the mark is not a key that a template could read. */
export const callText = " call";

/** `{ name, arguments }` or a list of such, as JSON. */
function callsOf(text: unknown): unknown[] | undefined {
  if (typeof text !== "string") return undefined;
  try {
    const value = parseExactJson(text);
    const calls = Array.isArray(value) ? (value as unknown[]) : [value];
    const isCall = (call: unknown): boolean => typeof (call as { name?: unknown } | null)?.name === "string";
    return calls.length > 0 && calls.every(isCall)
      ? calls.map((call) => ({ type: "function", function: call }))
      : undefined;
  } catch {
    return undefined;
  }
}

function renamed(message: ChatMessage, from: string, to: string, value: unknown): ChatMessage {
  return { ...without(message, from), [to]: value };
}

/** A message without one of its keys. */
export function without(message: ChatMessage, key: string): ChatMessage {
  if (!Object.hasOwn(message, key)) return message;
  return Object.fromEntries(Object.entries(message).filter(([name]) => name !== key)) as ChatMessage;
}

/** Keys of messages that the template does not write. */
export interface UnwrittenKeys {
  /** A part of an answer that is not written. */
  spoken: string | undefined;
  /** What else is not written. */
  others: string[];
}

/** @param whole writes all of the messages */
export function unwrittenKeys(
  messages: readonly ChatMessage[],
  writer: TemplateWriter,
  inputs: TemplateInputs,
  whole: () => string,
): UnwrittenKeys {
  const others = new Set<string>();
  const spoken = new Set<string>();
  const last = messages.at(-1);
  for (const message of messages)
    for (const [key, value] of Object.entries(message)) {
      if (key === "role" || key === "content" || key === callText || isEmpty(value)) continue;
      const isSpoken = isAnswer(message) && (spokenKeys.includes(key) || key === "function_call");
      // templates may leave the thinking out of all answers but one that nothing follows
      if (isSpoken && (message === last || !writer.reads(key))) spoken.add(key);
      else others.add(key);
    }
  // a template may write a key that it does not name, as in `{{ message | tojson }}`, and what it names may be a variable
  const written = (key: string): boolean => {
    const bare = messages.map((message) => without(message, key));
    try {
      return whole() !== writer.write(bare, false, inputs);
    } catch {
      return writer.reads(key); // it cannot write a message without text
    }
  };
  return {
    spoken: [...spoken].find((key) => !written(key)),
    others: [...others].filter((key) => !written(key)),
  };
}
