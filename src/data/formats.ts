import { UserError } from "../system/errors.ts";

/** One turn of a conversation. */
export interface Message {
  role: string;
  content: string;
}

/** What a row of any format comes down to. Several may be present: a question with an answer is also a conversation. */
export interface Example {
  messages?: Message[];
  prompt?: string;
  response?: string;
  /** Reference answer for exact match. */
  answer?: string;
  /** A row that is already tokenized; `response` marks the tokens to train. */
  tokens?: { ids: Int32Array; response: Uint8Array };
}

export type FormatName = "messages" | "prompt-response" | "question-answer" | "instruction" | "tokens" | "text";

/** Which column plays which part, where the usual names do not fit. */
export type FieldName =
  | "messages"
  | "prompt"
  | "response"
  | "question"
  | "answer"
  | "instruction"
  | "input"
  | "output"
  | "text"
  | "ids"
  | "labels"
  | "responseMask";

/** Thrown for a field of a wrong type; the caller adds file and row. */
export class WrongField extends Error {}

/** A row that cannot be trained, and why. */
export interface Skipped {
  skipped: string;
}

type Raw = Readonly<Record<string, unknown>>;
type Fields = Partial<Record<FieldName, string>>;

interface Format {
  readonly name: FormatName;
  /** Usual column names by field; the first that exists is taken. */
  readonly names: Partial<Record<FieldName, readonly string[]>>;
  /** Fields without which the format does not apply; each entry is a list of alternatives. */
  readonly required: readonly (readonly FieldName[])[];
  read(raw: Raw, fields: Fields): Example | Skipped;
}

const ROLES: Readonly<Record<string, string>> = {
  human: "user",
  gpt: "assistant",
  chatgpt: "assistant",
  model: "assistant",
  bot: "assistant",
};

/** In the order in which `auto` tries them. */
const FORMATS: readonly Format[] = [
  {
    name: "messages",
    names: { messages: ["messages", "conversations", "conversation"] },
    required: [["messages"]],
    read(raw, fields) {
      const messages = messagesOf(raw[fields.messages!], fields.messages!);
      const last = messages?.findLast((message) => message.role === "assistant" && message.content !== "");
      if (!messages || !last) return { skipped: "no response" };
      return { messages, answer: last.content };
    },
  },
  {
    name: "tokens",
    names: {
      ids: ["input_ids"],
      labels: ["labels"],
      responseMask: ["response_mask", "completion_mask", "assistant_masks", "loss_mask"],
    },
    required: [["ids"], ["labels", "responseMask"]],
    read: readTokens,
  },
  pairFormat("prompt-response", "prompt", "response", ["prompt"], ["response", "completion"], false),
  pairFormat("question-answer", "question", "answer", ["question"], ["answer"], true),
  {
    name: "instruction",
    names: { instruction: ["instruction"], input: ["input", "context"], output: ["output", "response"] },
    required: [["instruction"], ["output"]],
    read(raw, fields) {
      const instruction = textOf(raw, fields.instruction);
      const input = textOf(raw, fields.input);
      if (instruction === null) return { skipped: "no instruction" };
      return pair(input ? `${instruction}\n\n${input}` : instruction, textOf(raw, fields.output), true);
    },
  },
  {
    name: "text",
    names: { text: ["text"] },
    required: [["text"]],
    read: (raw, fields) => pair("", textOf(raw, fields.text), false),
  },
  {
    // What `tokensift score` writes. Last, as `response` is text in most data.
    name: "tokens",
    names: { ids: ["ids"], responseMask: ["response"] },
    required: [["ids"], ["responseMask"]],
    read: readTokens,
  },
];

export const FORMAT_NAMES: readonly FormatName[] = [...new Set(FORMATS.map((format) => format.name))];

export const FIELD_NAMES = [...new Set(FORMATS.flatMap(({ names }) => Object.keys(names)))] as readonly FieldName[];

/** Chooses the format and its columns. */
export function chooseFormat(
  wanted: FormatName | "auto",
  columns: readonly string[],
  renamed: Fields,
  where: string,
): { name: FormatName; fields: Fields; read(raw: Raw): Example | Skipped } {
  for (const [field, column] of Object.entries(renamed)) {
    if (!columns.includes(column)) {
      throw new UserError("unknown-column", `there is no column "${column}" (for ${field})`, {
        where,
        fix: `Its columns: ${columns.join(", ")}.`,
      });
    }
  }
  for (const format of FORMATS) {
    if (wanted !== "auto" && wanted !== format.name) continue;
    const fields = fieldsOf(format, columns, renamed);
    if (format.required.every((alternatives) => alternatives.some((field) => fields[field] !== undefined))) {
      return { name: format.name, fields, read: (raw) => format.read(raw, fields) };
    }
  }
  throw new UserError(
    "unknown-format",
    wanted === "auto"
      ? `no known format fits the columns ${columns.join(", ") || "(none)"}`
      : `the columns ${columns.join(", ") || "(none)"} do not fit the format ${wanted}`,
    {
      where,
      fix: "Name the columns, for example fields: { prompt: my_question, response: my_answer }; formats: messages, prompt and response, question and answer, instruction/input/output, text, input_ids with labels.",
    },
  );
}

function fieldsOf(format: Format, columns: readonly string[], renamed: Fields): Fields {
  const fields: Fields = {};
  for (const [field, names] of Object.entries(format.names) as [FieldName, readonly string[]][]) {
    const column = renamed[field] ?? names.find((name) => columns.includes(name));
    if (column !== undefined) fields[field] = column;
  }
  return fields;
}

function pairFormat(
  name: FormatName,
  ask: "prompt" | "question",
  reply: "response" | "answer",
  askNames: readonly string[],
  replyNames: readonly string[],
  asChat: boolean,
): Format {
  return {
    name,
    names: { [ask]: askNames, [reply]: replyNames, ...(asChat ? {} : { answer: ["answer"] }) },
    required: [[ask], [reply]],
    read(raw, fields) {
      const prompt = textOf(raw, fields[ask]);
      if (prompt === null) return { skipped: `no ${ask}` };
      const example = pair(prompt, textOf(raw, fields[reply]), asChat);
      const answer = asChat ? null : textOf(raw, fields.answer);
      return answer === null || "skipped" in example ? example : { ...example, answer };
    },
  };
}

function pair(prompt: string, response: string | null, asChat: boolean): Example | Skipped {
  if (response === null || response === "") return { skipped: "no response" };
  const example: Example = { prompt, response, answer: response };
  if (!asChat) return example;
  return {
    ...example,
    messages: [
      { role: "user", content: prompt },
      { role: "assistant", content: response },
    ],
  };
}

/** A text field; null where it is missing. */
function textOf(raw: Raw, column: string | undefined): string | null {
  const value = column === undefined ? null : raw[column];
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  throw new WrongField(`"${column}" is ${kindOf(value)}, not text`);
}

function messagesOf(value: unknown, column: string): Message[] | null {
  if (value === null || value === undefined) return null;
  if (!Array.isArray(value)) throw new WrongField(`"${column}" is ${kindOf(value)}, not a list of messages`);
  return value.map((entry: unknown, i) => {
    const { role, content, from, value: text } = (entry ?? {}) as Record<string, unknown>;
    const speaker = role ?? from;
    const said = content ?? text ?? "";
    if (typeof speaker !== "string") throw new WrongField(`message ${i} of "${column}" has no role`);
    if (typeof said !== "string")
      throw new WrongField(`message ${i} of "${column}" has ${kindOf(said)} as content, not text`);
    return { role: ROLES[speaker] ?? speaker, content: said };
  });
}

function readTokens(raw: Raw, fields: Fields): Example | Skipped {
  const ids = integersOf(raw[fields.ids!], fields.ids!);
  const marks = fields.labels ?? fields.responseMask!;
  const values = integersOf(raw[marks], marks);
  if (ids === null || ids.length === 0) return { skipped: "no tokens" };
  if (values === null) return { skipped: "no response" };
  if (values.length !== ids.length) {
    throw new WrongField(`"${marks}" has ${values.length} entries, "${fields.ids}" has ${ids.length}`);
  }
  const shifted = fields.labels === undefined ? -1 : values.findIndex((label, t) => label !== -100 && label !== ids[t]);
  if (shifted >= 0) {
    const found = `entry ${shifted} of "${marks}" is ${values[shifted]}, the token is ${ids[shifted]}`;
    throw new WrongField(`${found}: a label is -100 or its own token (labels are not shifted here)`);
  }
  const response = Uint8Array.from(values, (value) => ((fields.labels ? value !== -100 : value !== 0) ? 1 : 0));
  if (!response.includes(1)) return { skipped: "no response" };
  return { tokens: { ids: Int32Array.from(ids), response } };
}

function integersOf(value: unknown, column: string): number[] | null {
  const numbers = numberList(value);
  if (value === null || value === undefined) return null;
  if (numbers && numbers.every((n) => Number.isInteger(n) && Math.abs(n) <= 0x7fffffff)) return numbers;
  throw new WrongField(`"${column}" is ${kindOf(value)}, not a list of 32-bit integers`);
}

/** The value as numbers, or undefined when it is no list of numbers. */
export function numberList(value: unknown): number[] | undefined {
  if (value instanceof BigInt64Array || value instanceof BigUint64Array) return Array.from(value, Number);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return Array.from(value as unknown as ArrayLike<number>);
  if (Array.isArray(value) && value.every((entry) => typeof entry === "number" || typeof entry === "boolean")) {
    return value.map(Number);
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "missing";
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return "a list";
  if (typeof value === "symbol") return "of a type that is not read";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
