import { nearest } from "../config/nearest.ts";
import { UserError } from "../system/errors.ts";
import { propertyNames, type OptionNames } from "../system/option-names.ts";
import { messagesFormat, questionFormats } from "./chat-formats.ts";
import { pair, plainPair } from "./examples.ts";
import { textOf, textOrNumberOf, UnreadRow, valueIn, type Raw } from "./fields.ts";
import type { Example, FieldName, Fields, Format, FormatName, Skipped } from "./format.ts";
import { chosenAlone, preferenceFormat } from "./preference-format.ts";
import { isConversation } from "./messages.ts";
import { completionExample, verifiableFormat } from "./prompt-formats.ts";
import { spannedExample } from "./spans.ts";
import { readTokens } from "./token-format.ts";

/** Columns of padding, and of texts that are packed into a row. */
const packedColumns = {
  attentionMask: ["attention_mask"],
  positionIds: ["position_ids"],
  textLengths: ["seq_lengths"],
  textEnds: ["cu_seqlens"],
  textNumbers: ["segment_ids", "sequence_ids"],
} as const;

/** In the order in which `auto` tries them. */
const FORMATS: readonly Format[] = [
  preferenceFormat,
  messagesFormat,
  {
    name: "tokens",
    title: "tokens",
    names: {
      ids: ["input_ids"],
      labels: ["labels"],
      responseMask: ["response_mask"],
      completionMask: ["completion_mask"],
      lossMask: ["loss_mask"],
      assistantMask: ["assistant_masks", "assistant_mask"],
      endOfTurn: ["end_of_turn"],
      ...packedColumns,
    },
    required: [["ids"], ["labels", "responseMask", "completionMask", "lossMask", "assistantMask"]],
    read: tokensExample,
  },
  {
    name: "prompt-response",
    title: "prompt and response",
    names: {
      ...{ prompt: ["prompt"], response: ["response", "completion"], answer: ["answer"], label: ["label"] },
      ...{ system: ["system"], history: ["history"], tools: ["tools"], documents: ["documents"] },
    },
    required: [["prompt"], ["response"]],
    read(raw, fields) {
      if (isUnwanted(raw, fields.label)) return { skipped: "its label is false: the response is not wanted" };
      const [asked, replied] = [raw[fields.prompt!], raw[fields.response!]];
      const isChat = isConversation(asked) || isConversation(replied);
      const example = isChat ? completionExample(raw, fields) : plainExample(raw, fields);
      if ("skipped" in example) return example;
      const answer = textOrNumberOf(raw, fields.answer);
      return { ...example, ...(answer !== null && { answer }), ...labelUnused(raw, fields.label, example) };
    },
  },
  verifiableFormat,
  ...questionFormats,
  {
    name: "text",
    title: "text",
    names: { text: ["text"] },
    required: [["text"]],
    read: (raw, fields) => pair("", textOf(raw, fields.text)),
  },
  {
    // What `tokensift score` writes. Late, as `response` is text in most data.
    name: "tokens",
    title: "tokens",
    names: { ids: ["ids"], responseMask: ["response"] },
    required: [["ids"], ["responseMask"]],
    read: tokensExample,
  },
  {
    // What a tokenizer makes of plain text.
    name: "tokens",
    title: "tokens, all of which train",
    names: { ids: ["input_ids"], ...packedColumns },
    required: [["ids"]],
    read: tokensExample,
  },
];

export const FORMAT_NAMES: readonly FormatName[] = [...new Set(FORMATS.map((format) => format.name))];

/** Fields that any format may have, where they are named. */
const everywhere = ["weights", "spans"] as const satisfies readonly FieldName[];

/** Where spans stand unless a column is named. */
const spansColumn = "spans";

export const FIELD_NAMES = [
  ...new Set([...FORMATS.flatMap(({ names }) => Object.keys(names)), ...everywhere]),
] as readonly FieldName[];

/**
 * Chooses the format and its columns.
 *
 * @param about.names how messages call the options
 * @param about.side of preference pairs, the answer that is read
 */
export function chooseFormat(
  wanted: FormatName | "auto",
  columns: readonly string[],
  renamed: Fields,
  where: string,
  { names = propertyNames, side }: { names?: OptionNames | undefined; side?: "chosen" | "rejected" | undefined } = {},
): { name: FormatName; title: string; fields: Fields; read(raw: Raw): Example | Skipped } {
  for (const [field, column] of Object.entries(renamed)) {
    if (!columns.includes(column)) {
      const near = nearest(column, columns);
      const hint = near === undefined ? "" : `Did you mean ${near}? `;
      throw new UserError(
        "unknown-column",
        `there is no column "${column}" (${names("fields", { [field]: column })})`,
        {
          where,
          fix: `${hint}Its columns: ${columns.join(", ")}.`,
        },
      );
    }
  }
  for (const format of FORMATS) {
    if (wanted !== "auto" && wanted !== format.name) continue;
    const fields = sided(fieldsOf(format, columns, renamed), side);
    if (format.required.every((alternatives) => alternatives.some((field) => fields[field] !== undefined))) {
      const { name, title } = format;
      const isNamed = renamed.spans !== undefined;
      const read = (raw: Raw): Example | Skipped => readOrSkip(format, raw, fields, isNamed);
      return { name, title, fields, read: side === undefined ? read : (raw) => withoutRemark(read(raw)) };
    }
  }
  throw new UserError(
    "unknown-format",
    wanted === "auto"
      ? `no known format fits the columns ${listed(columns)}`
      : `the columns ${listed(columns)} do not fit the format ${wanted}`,
    {
      where,
      fix: `Name the columns, for example ${names("fields", { prompt: "my_question", response: "my_answer" })}; formats: messages, prompt and response, question and answer, instruction/input/output, chosen and rejected, text, input_ids.`,
    },
  );
}

/** A file may have any number of columns. */
function listed(columns: readonly string[]): string {
  const most = 50;
  const shown = columns.slice(0, most).join(", ") || "(none)";
  return columns.length > most ? `${shown} and ${columns.length - most} more` : shown;
}

/** The fields as they are read for one side of preference pairs: as if that were the chosen one. */
function sided(fields: Fields, side: "chosen" | "rejected" | undefined): Fields {
  const { chosen, rejected, ...others } = fields;
  if (side !== "rejected" || chosen === undefined || rejected === undefined) return fields;
  return { ...others, chosen: rejected, rejected: chosen };
}

function withoutRemark(example: Example | Skipped): Example | Skipped {
  if ("skipped" in example || example.remarks === undefined) return example;
  const { remarks, ...rest } = example;
  const others = remarks.filter((remark) => remark !== chosenAlone);
  return others.length === 0 ? rest : { ...rest, remarks: others };
}

function readOrSkip(format: Format, raw: Raw, fields: Fields, spansAreNamed: boolean): Example | Skipped {
  try {
    const example = format.read(raw, fields);
    return "skipped" in example ? example : spannedExample(raw, fields, spansAreNamed, example);
  } catch (error) {
    if (error instanceof UnreadRow) return { skipped: error.message };
    throw error;
  }
}

function fieldsOf(format: Format, columns: readonly string[], renamed: Fields): Fields {
  const fields: Fields = {};
  for (const [field, names] of Object.entries(format.names) as [FieldName, readonly string[]][]) {
    const column = renamed[field] ?? names.find((name) => columns.includes(name));
    if (column !== undefined) fields[field] = column;
  }
  for (const field of everywhere) if (renamed[field] !== undefined) fields[field] = renamed[field];
  if (columns.includes(spansColumn)) fields.spans ??= spansColumn;
  return fields;
}

function plainExample(raw: Raw, fields: Fields): Example | Skipped {
  const prompt = textOf(raw, fields.prompt);
  if (prompt === null) return { skipped: "no prompt" };
  return plainPair(raw, fields, prompt, textOf(raw, fields.response));
}

/** Whether the author of unpaired preferences (TRL's `label`) marks a response as one to keep away from. */
function isUnwanted(raw: Raw, column: string | undefined): boolean {
  const label = valueIn(raw, column);
  return label === false || (typeof label === "string" && label.trim().toLowerCase() === "false");
}

/** Other labels say nothing that is read here. */
function labelUnused(raw: Raw, column: string | undefined, { unused = [] }: Example): { unused?: readonly string[] } {
  const label = valueIn(raw, column);
  const isKnown = typeof label !== "string" || /^\s*(true|)\s*$/i.test(label);
  return isKnown ? {} : { unused: [...unused, column!] };
}

function tokensExample(raw: Raw, fields: Fields): Example | Skipped {
  const tokens = readTokens(raw, fields);
  return "skipped" in tokens ? tokens : { tokens };
}
