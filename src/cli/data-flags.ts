import type { FieldName, Fields } from "../data/format.ts";
import { FIELD_NAMES, FORMAT_NAMES } from "../data/formats.ts";
import type { Dataset, DatasetOptions } from "../data/dataset.ts";
import { openDataset } from "../data/open-dataset.ts";
import { readableData } from "../data/open-table.ts";
import type { TokenizeOptions } from "../data/tokens.ts";
import { UserError } from "../system/errors.ts";
import type { OptionNames } from "../system/option-names.ts";
import { templateOption } from "../text/index.ts";
import { amount, oneOf, requiredValue, wholeNumber } from "./values.ts";
import { optional } from "../system/optional.ts";

/** Flags that say how rows are read and become tokens, of commands that choose the rows themselves. */
export const readingFlags = {
  format: {
    type: "string",
    value: "NAME",
    description: `What a row holds: auto (default), ${FORMAT_NAMES.join(", ")}.`,
  },
  field: {
    type: "string",
    multiple: true,
    value: "PART=COLUMN",
    description: "A column that has another name than usual: prompt=my_question.",
  },
  "train-turns": { type: "string", value: "WHICH", description: "Answers of a conversation that train: all, or last." },
  "chat-template": {
    type: "string",
    value: "FILE",
    description: "A chat template in place of the tokenizer's.",
  },
  "prompt-weight": {
    type: "string",
    value: "X",
    description: "What each token of a prompt counts beside the answers. Default 0: prompts do not train.",
  },
  "system-weight": {
    type: "string",
    value: "X",
    description: "The same for the system's message. Default: as --prompt-weight.",
  },
  split: {
    type: "string",
    value: "NAME",
    description: "Split of a folder that has several; CONFIGURATION/SPLIT if need be.",
  },
} as const;

const { format, field, ...turnFlags } = readingFlags;

/** The same with those that choose rows and columns. */
export const rowFlags = {
  format,
  field,
  "token-column": {
    type: "string",
    multiple: true,
    value: "NAME",
    description: "A column with a number per token. Default: every one whose lists fit; none: no column.",
  },
  ...turnFlags,
  rows: { type: "string", value: "N", description: "Read the first N rows only." },
} as const;

/** The flag that names data. */
export const dataFlag = {
  data: { type: "string", value: "PATH", description: `${readableData()}; or a pattern of such.` },
} as const;

/** The flags of every command that reads one data set. */
export const dataFlags = { ...dataFlag, ...rowFlags } as const;

/** For messages: options as flags. The data may stand without a flag. */
export function flagNames({ data = "--data " }: { data?: string } = {}): OptionNames {
  return (option, value) => {
    if (option === "data") return `${data}${(value as string | undefined) ?? ""}`.trimEnd();
    const flag = `--${flags[option]}`;
    if (value === undefined) return flag;
    if (typeof value === "string") return `${flag} ${value}`;
    return Object.entries(value)
      .map(([part, column]) => `${flag} ${part}=${column}`)
      .join(" ");
  };
}

const flags = {
  split: "split",
  fields: "field",
  tokenColumns: "token-column",
  maxTokens: "max-tokens",
  trainTurns: "train-turns",
  chatTemplate: "chat-template",
} as const;

/** What the flags say of how rows become tokens. */
export function tokenOptions(values: {
  "train-turns"?: string;
  "chat-template"?: string;
  "prompt-weight"?: string;
  "system-weight"?: string;
}): Pick<TokenizeOptions, "trainTurns" | "template" | "promptWeight" | "systemWeight" | "names"> {
  const turns = values["train-turns"];
  const names = flagNames();
  const promptWeight = amount("prompt-weight", values["prompt-weight"]);
  const systemWeight = amount("system-weight", values["system-weight"]);
  return {
    ...(turns !== undefined && { trainTurns: oneOf("train-turns", turns, ["all", "last"] as const) }),
    ...templateOption(values["chat-template"], names),
    ...optional({ promptWeight, systemWeight }),
    names,
  };
}

/** What the flags say of how a data set is read. */
export function datasetOptions(values: {
  format?: string;
  field?: string[];
  split?: string;
  rows?: string;
  "token-column"?: string[];
}): DatasetOptions {
  const limit = wholeNumber("rows", values.rows);
  const tokenColumns = values["token-column"]?.filter((name) => name !== "none");
  return {
    format: oneOf("format", values.format ?? "auto", ["auto", ...FORMAT_NAMES]),
    fields: Object.fromEntries((values.field ?? []).map(fieldOf)),
    names: flagNames(),
    ...optional({ split: values.split, limit, tokenColumns }),
  };
}

/**
 * Opens the data that the flags name. Close it after use.
 * @param fields columns by part, before those that the flags name
 */
export async function openData(
  values: { data?: string } & Parameters<typeof datasetOptions>[0],
  fields: Fields = {},
): Promise<Dataset> {
  const path = requiredValue("data", values.data, "a data file");
  const options = datasetOptions(values);
  return openDataset(path, { ...options, fields: { ...options.fields, ...fields } });
}

function fieldOf(text: string): [FieldName, string] {
  const equals = text.indexOf("=");
  if (equals < 1 || equals === text.length - 1)
    throw new UserError("malformed-option", `--field ${text} is not of the form PART=COLUMN`, {
      fix: `Parts: ${FIELD_NAMES.join(", ")}.`,
    });
  return [oneOf("field", text.slice(0, equals), FIELD_NAMES), text.slice(equals + 1)];
}
