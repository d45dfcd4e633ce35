import { UserError } from "../system/errors.ts";
import type { OptionNames } from "../system/option-names.ts";
import { dataPaths } from "./data-paths.ts";
import { datasetOf, type Dataset, type DatasetOptions } from "./dataset.ts";
import { hashFiles } from "./files.ts";
import { openJoined } from "./join-tables.ts";
import { joinDatasets, weighedItems, type DataItem } from "./mixture.ts";
import { readerOf } from "./open-table.ts";
import type { Table } from "./table.ts";

/**
 * Opens data files (Arrow, Parquet, JSON Lines, CSV, …) or folders (as Hugging Face `save_to_disk` or a clone from the
 * hub leaves them). Rows are read when asked for; one file is open at a time, and one of its record batches or row groups
 * or a block of its lines in memory.
 *
 * @param path a file, a folder, a pattern such as `data/*.jsonl`, or a list of them, which are read one after the other.
 *   In place of a path may stand `{ path, weight, limit, split, format, fields }`; each entry of such a list is then read
 *   by its own columns, with its own options or else those of the whole (`limit` is that of the whole list)
 * @throws UserError for a missing, empty, damaged or unfitting file
 * @example
 * import { openDataset } from "tokensift/data";
 *
 * const dataset = await openDataset("datasets/word-problems/validation.arrow");
 * dataset.format; //=> "question-answer"
 * dataset.length; //=> 400
 * const lengths: number[] = [];
 * for await (const { answer } of dataset.rows()) lengths.push(answer!.length);
 * lengths.length; //=> 400
 * await dataset.close();
 */
export async function openDataset(
  path: string | DataItem | readonly (string | DataItem)[],
  options: DatasetOptions = {},
): Promise<Dataset> {
  const list = typeof path === "string" || "path" in path ? [path] : path;
  if (list.every((item) => typeof item === "string")) return openFiles(list, options);
  const { limit, ...shared } = options;
  const sets: { dataset: Dataset; weight?: number | undefined }[] = [];
  for (const { path: own, weight, ...given } of weighedItems(list))
    sets.push({ dataset: await openFiles([own], { ...shared, ...given }), weight });
  return joinDatasets(sets, limit);
}

async function openFiles(path: readonly string[], options: DatasetOptions): Promise<Dataset> {
  const { name, table } = await openTable(path, options);
  return datasetOf(table, { name, contentHash: () => hashFiles(table.files) }, options);
}

/** Opens data files or folders as one table of rows as they stand there; see `openDataset`. */
export async function openTable(
  path: string | readonly string[],
  { split, names }: Pick<DatasetOptions, "split" | "names">,
): Promise<{ name: string; table: Table }> {
  try {
    const paths = dataPaths(typeof path === "string" ? [path] : path);
    const name = paths.join(", ");
    const sources = paths.map((each) => ({ path: each, reader: readerOf(each, { split }) }));
    return { name, table: await openJoined(sources, (source) => source.reader.open(source.path, { split }), name) };
  } catch (error) {
    if (names === undefined || !(error instanceof UserError)) throw error;
    throw withOption(error, split, names);
  }
}

/** The error with the option that named what it is about. */
function withOption({ code, message, cause }: UserError, split: string | undefined, names: OptionNames): UserError {
  if (code !== "unknown-split") return new UserError(code, names("data", message), { cause });
  return split === undefined
    ? new UserError(code, names("data", message), { fix: `Name it with ${names("split")}.`, cause })
    : new UserError(code, message, { where: names("split", split), cause });
}
