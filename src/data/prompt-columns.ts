import type { AnswerWeight, ChatMessage } from "../text/index.ts";
import { fromJsonText, listOf, plainValue, valueIn, WrongField, type Raw } from "./fields.ts";
import { isConversation, messagesOf, type Messages } from "./messages.ts";

/** Columns of a row that belong to the prompt, by what they are. */
export interface PromptColumns {
  system?: string | undefined;
  history?: string | undefined;
  tools?: string | undefined;
  documents?: string | undefined;
}

/** What the prompt's columns say. */
export interface PromptParts {
  /** Turns that stand before the conversation. */
  before: ChatMessage[];
  /** What answers among them count; absent where their author marks none. */
  beforeWeights?: readonly AnswerWeight[];
  /** Where the first of them is from, if it is the system's. */
  systemColumn?: string;
  tools?: readonly unknown[];
  documents?: readonly unknown[];
  /** Columns with text that the conversation itself makes useless. */
  unused: string[];
}

/**
 * Reads the columns that stand beside a conversation.
 *
 * @param opensWithSystem whether the conversation has a system message of its own, which wins
 * @throws WrongField for a column of another form
 */
export function promptParts(raw: Raw, columns: PromptColumns, opensWithSystem: boolean): PromptParts {
  const system = systemOf(raw, columns.system);
  const history = historyOf(raw, columns.history);
  const tools = valuesOf(raw, columns.tools);
  const documents = valuesOf(raw, columns.documents);
  const isIdle = system !== undefined && (opensWithSystem || history.messages[0]?.role === "system");
  const opens = system !== undefined && !isIdle;
  const { messageWeights: weights } = history;
  return {
    before: [...(opens ? [{ role: "system", content: system }] : []), ...history.messages],
    ...(weights && { beforeWeights: [...(opens ? [1] : []), ...weights] }),
    ...(opens && { systemColumn: columns.system! }),
    ...(tools && { tools }),
    ...(documents && { documents }),
    unused: [...(isIdle ? [columns.system!] : []), ...unreadVariables(raw)],
  };
}

/** Variables of the template that a row sets for itself are not read. */
function unreadVariables(raw: Raw): string[] {
  const column = "chat_template_kwargs";
  const value = valueIn(raw, column);
  return value !== undefined && value !== "" && Object.keys(value as object).length > 0 ? [column] : [];
}

function systemOf(raw: Raw, column: string | undefined): string | undefined {
  const value = valueIn(raw, column);
  if (value === undefined || value === "") return undefined;
  if (typeof value === "string") return value;
  throw new WrongField(`"${column}" is not text`);
}

/** Earlier turns: pairs of what was asked and answered (Alpaca), or messages; as a list or JSON text. */
function historyOf(raw: Raw, column: string | undefined): Messages {
  const value = valueIn(raw, column);
  if (value === undefined || value === "") return { messages: [] };
  if (isConversation(value)) return messagesOf(value, column!)!;
  const turns = listOf(value);
  const messages = (turns ?? [undefined]).flatMap((turn) => {
    const [asked, answered, ...more] = Array.isArray(turn) ? (turn as unknown[]) : [];
    if (typeof asked !== "string" || typeof answered !== "string" || more.length > 0)
      throw new WrongField(`"${column}" is not a list of pairs of texts, asked and answered`);
    return [
      { role: "user", content: asked },
      { role: "assistant", content: answered },
    ];
  });
  return { messages };
}

/** Values of a list, each as it is or as JSON text, or of one JSON text for all; undefined where there are none. */
function valuesOf(raw: Raw, column: string | undefined): unknown[] | undefined {
  const value = valueIn(raw, column);
  if (value === undefined || (typeof value === "string" && value.trim() === "")) return undefined;
  const whole = fromJsonText(value);
  const list = Array.isArray(whole) ? (whole as unknown[]) : [whole];
  if (whole === undefined) throw new WrongField(`"${column}" is neither a list nor JSON text of one`);
  const values = list.map((each) => plainValue(fromJsonText(each) ?? each, column!));
  return values.length > 0 ? values : undefined;
}

/** Text that a question is about: one text, or several. */
export function contextOf(raw: Raw, column: string | undefined): string | undefined {
  const value = valueIn(raw, column);
  if (value === undefined) return undefined;
  const texts = Array.isArray(value) ? (value as unknown[]) : [value];
  if (!texts.every((text) => typeof text === "string")) throw new WrongField(`"${column}" is not text`);
  const filled = texts.filter((text) => text !== "");
  return filled.length > 0 ? filled.join("\n\n") : undefined;
}
