import { Type } from "@sinclair/typebox";
import type { ConfigDefinition } from "../../config/load.ts";
import { loadConfig } from "../../config/load.ts";
import { freshModel, packableDataGroup } from "../../config/groups.ts";
import { existingPath } from "../../config/schema.ts";
import { dataContradictions, type FreshConfig, type PackableDataConfig } from "../../config/shared.ts";
import type { Dataset } from "../../data/dataset.ts";
import type { Fields } from "../../data/format.ts";
import { readableNote } from "../../data/open-table.ts";
import type { TokenizeOptions } from "../../data/tokens.ts";
import { configuredTokens, openConfigured, type DataRole } from "../../recipes/kit/configured-data.ts";
import { UserError } from "../../system/errors.ts";
import { optional } from "../../system/optional.ts";
import type { Tokenizer } from "../../text/index.ts";
import { dataFlags, openData, tokenOptions } from "../data-flags.ts";
import { openTokenizer, tokenizerIfAny } from "../open-tokenizer.ts";
import { requiredValue, wholeNumber } from "../values.ts";

/** Data, and what becomes of them. Close the dataset after use. */
export interface DataSource {
  readonly dataset: Dataset;
  /** Absent where no model is named and there is none to take instead. */
  readonly tokenizer: { readonly tokenizer: Tokenizer; readonly path: string } | undefined;
  readonly options: TokenizeOptions;
  /** The setting by which only the first rows are read. */
  readonly limit?: string | undefined;
  /** The same rows by other columns. */
  reopen(fields: Fields): Promise<Dataset>;
}

type FlagsOfData = Parameters<typeof openData>[0] & Parameters<typeof tokenOptions>[0];

interface SourceFlags extends FlagsOfData {
  model?: string;
  "max-tokens"?: string;
  config?: string;
  set?: string[];
  validation?: boolean;
}

/**
 * Opens the data that flags or a configuration name.
 * @throws UserError for flags of both kinds
 */
export async function openSource(values: SourceFlags): Promise<DataSource> {
  const { config } = values;
  if (config !== undefined) return fromConfig(config, values);
  for (const flag of ["set", "validation"] as const)
    if (values[flag] !== undefined)
      throw new UserError("unused-option", `--${flag} has no configuration`, { fix: "Give --config FILE." });
  requiredValue("data", values.data, "a data file, or give --config a recipe's configuration");
  const maxTokens = wholeNumber("max-tokens", values["max-tokens"], { minimum: 2 });
  const options = { ...tokenOptions(values), ...optional({ maxTokens }) };
  const dataset = await openData(values);
  try {
    const tokenizer = await tokenizerIfAny(values.model);
    const reopen = (fields: Fields): Promise<Dataset> => openData(values, fields);
    return {
      dataset,
      tokenizer,
      options,
      limit: values.rows === undefined ? undefined : `--rows ${values.rows}`,
      reopen,
    };
  } catch (error) {
    await dataset.close();
    throw error;
  }
}

interface InspectedConfig {
  model?: string | undefined;
  fresh?: FreshConfig | undefined;
  data: PackableDataConfig;
}

/** What every recipe's configuration says of its model and its data; its other keys are not looked at. */
const definition: ConfigDefinition<InspectedConfig> = {
  schema: Type.Object(
    { model: Type.Optional(existingPath("The model.")), fresh: Type.Optional(freshModel), data: packableDataGroup },
    { additionalProperties: true },
  ),
  alternatives: [{ keys: ["model", "fresh"], required: true }],
  readable: readableNote(),
  finish: ({ data }) => dataContradictions(data),
};

async function fromConfig(file: string, values: SourceFlags): Promise<DataSource> {
  const stray = [...Object.keys(dataFlags), "model", "max-tokens"].find(
    (flag) => values[flag as keyof SourceFlags] !== undefined,
  );
  if (stray !== undefined)
    throw new UserError("conflicting-options", `--config and --${stray} exclude each other`, {
      fix: "Change what the configuration says with --set KEY=VALUE, as in --set data.limit=100.",
    });
  const { config } = loadConfig(definition, file, { ...optional({ set: values.set }) });
  const { model, fresh, data } = config;
  const role: DataRole = values.validation === true ? "validation" : "train";
  if (role === "validation" && data.validation === undefined)
    throw new UserError("missing-option", "data.validation is missing", { where: file });
  const options = configuredTokens(data, role);
  const dataset = await openConfigured(data, role);
  try {
    const tokenizer = await openTokenizer(model ?? fresh!.tokenizer);
    const reopen = (fields: Fields): Promise<Dataset> =>
      openConfigured({ ...data, fields: { ...data.fields, ...fields } }, role);
    const [key, limit] = role === "train" ? ["limit", data.limit] : ["validationLimit", data.validationLimit];
    return { dataset, tokenizer, options, limit: limit === undefined ? limit : `data.${key}: ${limit}`, reopen };
  } catch (error) {
    await dataset.close();
    throw error;
  }
}
