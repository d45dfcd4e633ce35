import { createHash } from "node:crypto";
import { UserError } from "../system/errors.ts";
import type { Dataset, DatasetOptions, Row, SkippedRow } from "./dataset.ts";
import type { Fields } from "./format.ts";
import { oneInUse, partOf, startsOf } from "./parts.ts";

/** A data set of a list, with what holds for it alone. */
export interface DataItem extends Pick<DatasetOptions, "format" | "fields" | "split" | "limit"> {
  /** A file, a folder, or a pattern. */
  path: string;
  /**
   * How often its rows are drawn in training, in relation to the other data sets of the list, whatever their numbers of
   * rows: of the weights 3 and 1, three quarters of the rows of each epoch are of the first. Default: 1 where another of
   * the list has one; without any, each row comes as often as any other. 0 leaves the data set out.
   */
  weight?: number;
}

/**
 * The data sets of a list that are read, each with its weight where any has one.
 *
 * @throws UserError for a weight that is no number of at least 0, and for weights that are all 0
 */
export function weighedItems(list: readonly (string | DataItem)[]): DataItem[] {
  const items = list.map((item) => (typeof item === "string" ? { path: item } : item));
  for (const [index, { path, weight }] of items.entries())
    if (weight !== undefined && !(typeof weight === "number" && weight >= 0 && weight < Infinity))
      throw new UserError("invalid-option", `the weight is ${String(weight)}; it must be a number of at least 0`, {
        where: `data set ${index + 1} (${path})`,
      });
  if (items.every(({ weight }) => weight === undefined)) return items;
  const kept = items.map((item) => ({ ...item, weight: item.weight ?? 1 })).filter(({ weight }) => weight > 0);
  if (kept.length > 0) return kept;
  throw new UserError("nothing-to-divide-by", "the weights of all data sets are 0", {
    where: items.map(({ path }) => path).join(", "),
    fix: "Give at least one of them a weight above 0.",
  });
}

/**
 * Data sets read one after the other as one, of which only the one last read has its file open. Their formats and columns
 * may differ.
 *
 * @param limit only the first so many rows of the whole
 */
export function joinDatasets(
  sets: readonly { dataset: Dataset; weight?: number | undefined }[],
  limit = Infinity,
): Dataset {
  const datasets = sets.map(({ dataset }) => dataset);
  const starts = startsOf(datasets.map(({ length }) => length));
  const length = Math.min(starts.at(-1)!, limit);
  const formats = [...new Set(datasets.map(({ format }) => format))];
  const isEverywhere = (column: string): boolean => datasets.every(({ columns }) => columns.includes(column));
  const numbered = (entry: Row | SkippedRow, rowId: number): Row | SkippedRow =>
    "skipped" in entry ? { ...entry, rowId } : withColumns({ ...entry, rowId }, isEverywhere);
  const inUse = oneInUse<Dataset>();
  const locate = (rowId: number): { dataset: Dataset; start: number; end: number } => {
    if (!(rowId >= 0 && rowId < length)) throw new RangeError(`the data have ${length} rows, not a row ${rowId}`);
    const part = partOf(starts, rowId);
    return { dataset: datasets[part]!, start: starts[part]!, end: starts[part + 1]! };
  };
  const entries: Dataset["entries"] = async function* (from = 0, to = length) {
    for (let at = from; at < to;) {
      const { dataset, start, end } = locate(at);
      await inUse.use(dataset);
      const last = Math.min(to, end);
      for await (const entry of dataset.entries(at - start, last - start)) yield numbered(entry, entry.rowId + start);
      at = last;
    }
  };
  return {
    name: [...new Set(datasets.map(({ name }) => name))].join(", "),
    length,
    format: formats.length === 1 ? formats[0]! : "mixed",
    formatTitle: [...new Set(datasets.map(({ formatTitle }) => formatTitle))].join(", "),
    columns: [...new Set(datasets.flatMap(({ columns }) => columns))],
    fields: Object.assign({}, ...datasets.map(({ fields }) => fields)) as Fields,
    files: datasets.flatMap(({ files }) => files),
    tokenColumns: datasets[0]!.tokenColumns,
    parts: sets.map(({ dataset, weight }, i) => ({
      name: dataset.name,
      from: starts[i]!,
      ...(weight !== undefined && { weight }),
    })),
    get fingerprint() {
      const hash = createHash("sha256");
      for (const { fingerprint } of datasets) hash.update(`${fingerprint}\n`);
      return hash.update(String(length)).digest("hex");
    },
    entries,
    async *rows() {
      for await (const entry of entries()) if (!("skipped" in entry)) yield entry;
    },
    async row(rowId) {
      const { dataset, start } = locate(rowId);
      await inUse.use(dataset);
      return numbered(await dataset.row(rowId - start), rowId);
    },
    where(rowId) {
      const { dataset, start } = locate(Math.floor(rowId));
      return dataset.where(rowId - start);
    },
    close: inUse.close,
  };
}

/** The row with those of its lists of numbers that every data set has, and a remark on the others. */
function withColumns(row: Row, isEverywhere: (column: string) => boolean): Row {
  const others = Object.keys(row.columns).filter((name) => !isEverywhere(name));
  if (others.length === 0) return row;
  const remarks = others.map((name) => `the column "${name}" is left out, as not every data set of the list has it`);
  return {
    ...row,
    columns: Object.fromEntries(Object.entries(row.columns).filter(([name]) => isEverywhere(name))),
    remarks: [...(row.remarks ?? []), ...remarks],
  };
}
