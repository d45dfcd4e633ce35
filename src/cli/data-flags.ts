import type { FieldName } from "../data/format.ts";
import { FIELD_NAMES, FORMAT_NAMES } from "../data/formats.ts";
import type { Dataset } from "../data/dataset.ts";
import { openDataset } from "../data/open-dataset.ts";
import { readableData } from "../data/open-table.ts";
import type { TokenizeOptions } from "../data/tokens.ts";
import { UserError } from "../system/errors.ts";
import { templateOption } from "../text/index.ts";
import { amount, oneOf, requiredValue, wholeNumber } from "./values.ts";
import { optional } from "../system/optional.ts";

/** The flags of every command that reads data. */
export const dataFlags = {
  data: { type: "string", value: "FILE", description: `${readableData()}.` },
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
  rows: { type: "string", value: "N", description: "Read the first N rows only." },
} as const;

/** What the flags say of how rows become tokens. */
export function tokenOptions(values: {
  "train-turns"?: string;
  "chat-template"?: string;
  "prompt-weight"?: string;
  "system-weight"?: string;
}): Pick<TokenizeOptions, "trainTurns" | "template" | "promptWeight" | "systemWeight"> {
  const turns = values["train-turns"];
  const promptWeight = amount("prompt-weight", values["prompt-weight"]);
  const systemWeight = amount("system-weight", values["system-weight"]);
  return {
    ...(turns !== undefined && { trainTurns: oneOf("train-turns", turns, ["all", "last"] as const) }),
    ...templateOption(values["chat-template"]),
    ...optional({ promptWeight, systemWeight }),
  };
}

/** Opens the data that the flags name. Close it after use. */
export async function openData(values: {
  data?: string;
  format?: string;
  field?: string[];
  split?: string;
  rows?: string;
}): Promise<Dataset> {
  const path = requiredValue("data", values.data, "a data file");
  const limit = wholeNumber("rows", values.rows);
  return openDataset(path, {
    format: oneOf("format", values.format ?? "auto", ["auto", ...FORMAT_NAMES]),
    fields: Object.fromEntries((values.field ?? []).map(fieldOf)),
    ...optional({ split: values.split, limit }),
  });
}

function fieldOf(text: string): [FieldName, string] {
  const equals = text.indexOf("=");
  if (equals < 1 || equals === text.length - 1)
    throw new UserError("malformed-option", `--field ${text} is not of the form PART=COLUMN`, {
      fix: `Parts: ${FIELD_NAMES.join(", ")}.`,
    });
  return [oneOf("field", text.slice(0, equals), FIELD_NAMES), text.slice(equals + 1)];
}
