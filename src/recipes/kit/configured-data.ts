import type { PackableDataConfig } from "../../config/index.ts";
import type { Dataset, DatasetOptions } from "../../data/dataset.ts";
import type { FieldName } from "../../data/format.ts";
import type { DataItem } from "../../data/mixture.ts";
import { openDataset } from "../../data/open-dataset.ts";
import type { TokenizeOptions } from "../../data/tokens.ts";
import { keyNames } from "../../system/option-names.ts";
import { optional } from "../../system/optional.ts";
import { templateOption, type Tokenizer } from "../../text/index.ts";

/** A group `data`: of recipes that neither pack nor divide rows, without the keys for that. */
type DataConfig = Omit<PackableDataConfig, "packing">;

/** One of the data sets of a configuration. */
export type DataRole = "train" | "validation";

/**
 * Opens a data set as a configuration says. Close it after use.
 * @param own in the place of what it says
 */
export function openConfigured(
  data: DataConfig,
  role: DataRole,
  own: Pick<DatasetOptions, "side" | "tokenColumns"> = {},
): Promise<Dataset> {
  const isTrain = role === "train";
  const split = isTrain ? data.split : data.validationSplit;
  const limit = isTrain ? data.limit : data.validationLimit;
  const sets = (isTrain ? data.train : data.validation!) as string | DataItem | (string | DataItem)[];
  return openDataset(sets, {
    format: data.format,
    fields: data.fields as Partial<Record<FieldName, string>>,
    names: keyNames(role),
    ...optional({ split, limit, tokenColumns: data.tokenColumns }),
    ...own,
  });
}

/** What a configuration says of how rows become tokens. */
export function configuredTokens(data: DataConfig, role: DataRole): TokenizeOptions {
  const names = keyNames(role);
  return {
    maxTokens: data.maxTokens,
    truncate: data.truncate,
    overlap: data.overlap,
    trainTurns: data.trainTurns,
    systemPrompt: data.systemPrompt,
    // of held-out rows the answers alone are measured
    ...(role === "train" && optional({ promptWeight: data.promptWeight, systemWeight: data.systemWeight })),
    ...templateOption(data.chatTemplate, names),
    names,
  };
}

/** The chat template that a configuration gives, unless it is the tokenizer's own. */
export function givenTemplate({ chatTemplate }: DataConfig, tokenizer: Tokenizer): string | undefined {
  const { template } = templateOption(chatTemplate, keyNames("train"));
  return template === tokenizer.chatTemplate ? undefined : template;
}
