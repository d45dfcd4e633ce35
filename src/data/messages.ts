import { callText, isAnswer, type AnswerWeight, type CharacterSpan, type ChatMessage } from "../text/index.ts";
import { listOfEntries } from "./entries.ts";
import { fromJsonText, isNumber, kindOf, plainValue, UnreadRow, WrongField } from "./fields.ts";
import { detailsOf, looksLikeSpans, spansOf, withSpans } from "./spans.ts";

/** A conversation as a row has it. */
export interface Messages {
  messages: ChatMessage[];
  /** What each message's answer counts; absent where the author marks none. */
  messageWeights?: readonly AnswerWeight[];
  /** What of the messages' marks has no effect. */
  remarks?: readonly string[];
}

/** Other names of the roles that templates know, in lower case. */
const roles: Readonly<Record<string, string>> = {
  ...{ user: "user", human: "user", prompter: "user" },
  ...{ assistant: "assistant", gpt: "assistant", chatgpt: "assistant", model: "assistant", bot: "assistant" },
  ...{ ai: "assistant", bing: "assistant", bard: "assistant", claude: "assistant", chatbot: "assistant" },
  ...{ system: "system", developer: "developer", ipython: "ipython" },
  ...{ tool: "tool", tools: "tool", observation: "tool", function: "tool" },
  ...{ function_response: "tool", tool_response: "tool", function_result: "tool", tool_result: "tool" },
};

/** Roles of turns in which the model calls a tool. */
const callRoles = new Set(["function_call", "tool_call", "tool_calls"]);

/** Keys by which authors say what a message counts. */
export const markKeys = ["weight", "train", "training", "trainable", "loss_mask", "loss_weight", "loss"];

/** Keys under which a message may have spans of its content, `{ start, end, weight }`. */
const spanKeys = ["spans", "weights"];

/** The key of Axolotl's spans. */
const detailKey = "train_detail";

/**
 * Messages in OpenAI's form (`role`, `content`) or ShareGPT's (`from`, `value`), as a list, as JSON text, or as the
 * object of lists that a Hugging Face sequence becomes. Roles go by any of their names in any case; keys beside role
 * and content are kept, but for those that are null; content in parts of text is joined.
 *
 * @returns null where there are none
 * @throws WrongField for what is no conversation; UnreadRow for parts of messages that are not text
 */
export function messagesOf(value: unknown, column: string): Messages | null {
  if (value === null || value === undefined) return null;
  const given = fromJsonText(value);
  const entries = isMessage(given) ? [given] : listOfEntries(given);
  if (entries === undefined) {
    const found = `"${column}" is ${kindOf(value)}, not a list of messages`;
    throw new WrongField(
      isPythonText(value) ? `${found}: Python's str() wrote it, and json.dumps writes what is read` : found,
    );
  }
  const found = entries.map((entry, i) => messageOf(entry, `message ${i} of "${column}"`));
  const messages = found.map(({ message }) => message);
  const isMarked = found.some(({ message, weight }) => isAnswer(message) && weight !== undefined);
  const idle = new Set(
    found.flatMap(({ message, weight }) =>
      isAnswer(message) || weight === undefined || weight === 0 ? [] : [message.role],
    ),
  );
  return {
    messages,
    ...(isMarked && { messageWeights: found.map(({ weight }) => weight ?? 1) }),
    ...(idle.size > 0 && {
      remarks: [...idle].map((role) => `a message of the role "${role}" is marked to be trained, but only answers are`),
    }),
  };
}

/** Whether it is what pandas makes of a list of dictionaries in a CSV file. */
function isPythonText(value: unknown): boolean {
  return typeof value === "string" && /^\s*\[\s*\{\s*'/.test(value);
}

/** Whether a value looks like a conversation, or one message, rather than a text. */
export function isConversation(value: unknown): boolean {
  const given = fromJsonText(value);
  return isMessage(given) || isMessage(listOfEntries(given)?.[0]);
}

function isMessage(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { role, from } = value as { role?: unknown; from?: unknown };
  return typeof role === "string" || typeof from === "string";
}

function messageOf(entry: unknown, where: string): { message: ChatMessage; weight: AnswerWeight | undefined } {
  const { role, from, content, value, ...rest } = (entry ?? {}) as Record<string, unknown>;
  const speaker = role ?? from;
  if (typeof speaker !== "string") throw new WrongField(`${where} has no role`);
  const { weight, spans, others } = marksOf(rest, where);
  const known = speaker
    .trim()
    .toLowerCase()
    .replace(/[\s-]+/g, "_");
  const isCall = callRoles.has(known);
  const said = contentOf(content ?? (isCall ? asJsonText(value) : value), where);
  const says = said ?? (Object.keys(others).length > 0 ? null : "");
  const message: ChatMessage = {
    role: isCall ? "assistant" : (roles[known] ?? speaker),
    content: says,
    ...(plainValue(withCalls(others), where) as Record<string, unknown>),
    ...(isCall && { [callText]: said }),
  };
  return { message, weight: withSpans(weight, spansOfContent(spans, said, where)) };
}

/** The call of a tool as text, where a turn has it as an object or a list of such. */
function asJsonText(value: unknown): unknown {
  return typeof value === "object" && value !== null ? JSON.stringify(value) : value;
}

/** Calls of tools as a list in OpenAI's form, where they are JSON text, or a name and arguments alone. */
function withCalls(keys: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (keys.tool_calls === undefined) return keys;
  const calls = listOfEntries(fromJsonText(keys.tool_calls));
  return calls === undefined ? keys : { ...keys, tool_calls: calls.map(callOf) };
}

function callOf(given: unknown): unknown {
  const call = fromJsonText(given) ?? given;
  if (typeof call !== "object" || call === null || "function" in call || !("name" in call)) return call;
  const { name, arguments: values, ...others } = call as Record<string, unknown>;
  return { type: "function", ...others, function: { name, ...(values !== undefined && { arguments: values }) } };
}

function spansOfContent(
  [list, more]: readonly [string, unknown][],
  content: string | null,
  where: string,
): CharacterSpan[] | undefined {
  if (list === undefined) return undefined;
  const [key, value] = list;
  if (more !== undefined) throw new WrongField(`${where} has spans both as "${key}" and as "${more[0]}"`);
  return (key === detailKey ? detailsOf : spansOf)(value, content ?? "", `"${key}" of ${where}`);
}

/** The author's marks taken out of a message's keys; keys without a value are left out. */
function marksOf(
  keys: Readonly<Record<string, unknown>>,
  where: string,
): { weight: number | undefined; spans: [string, unknown][]; others: Record<string, unknown> } {
  let weight: number | undefined;
  const spans: [string, unknown][] = [];
  const others: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(keys)) {
    if (value === null || value === undefined) continue;
    if (key === detailKey || (spanKeys.includes(key) && looksLikeSpans(value))) spans.push([key, value]);
    else if (!markKeys.includes(key) || isMeasured(key, value)) others[key] = value;
    else if (typeof value === "boolean" || isNumber(value)) weight = (weight ?? 1) * Number(value);
    else throw new WrongField(`${where} has ${kindOf(value)} as "${key}", not a number or true or false`);
  }
  return { weight, spans, others };
}

/** Whether it is a loss that somebody measured rather than a mark. */
function isMeasured(key: string, value: unknown): boolean {
  return key === "loss" && isNumber(value) && value !== 0 && value !== 1;
}

function contentOf(value: unknown, where: string): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (isNumber(value)) return String(value);
  if (Array.isArray(value)) return value.map((part) => partOf(part, where)).join("");
  throw new WrongField(`${where} has ${kindOf(value)} as content, not text`);
}

function partOf(part: unknown, where: string): string {
  if (typeof part === "string") return part;
  const { type = "text", text, ...rest } = (part ?? {}) as Record<string, unknown>;
  const others = Object.keys(rest).filter((key) => rest[key] !== null && rest[key] !== undefined);
  if (typeof type !== "string") throw new WrongField(`${where} has a part of content without a type`);
  if (type !== "text") throw new UnreadRow(`a part of a message is of the type "${type}", and only text is read`);
  if (others.length > 0) throw new UnreadRow(`a part of a message has "${others[0]}", which is not read`);
  if (typeof text === "string") return text;
  throw new WrongField(`${where} has a part of content without text`);
}
