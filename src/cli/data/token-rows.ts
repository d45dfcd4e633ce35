import type { ColumnType } from "../../data/arrow/columns.ts";
import { alignColumns } from "../../data/align.ts";
import type { Dataset, Row } from "../../data/dataset.ts";
import { chooseFormat } from "../../data/formats.ts";
import { countLosses } from "../../data/lossy.ts";
import { countRows } from "../../data/row-stats.ts";
import { tokenizeEachRow, type RowSink } from "../../data/tokenize-rows.ts";
import { noUsableRows, skippedRows, type TokenizeOptions } from "../../data/tokens.ts";
import { terminalNumber, formatShare } from "../../report/format.ts";
import { UserError } from "../../system/errors.ts";
import { propertyNames } from "../../system/option-names.ts";
import type { TokenizedRow, Tokenizer } from "../../text/index.ts";
import { jsonOf, shortestDecimal } from "../score/row-file.ts";
import { openRowsFile, type RowsFile } from "../rows-file.ts";
import type { Working } from "./working.ts";

/** Columns of every row of tokens, as the format `tokens` reads them. */
const ownColumns = {
  rowId: "float64",
  input_ids: "list<int32>",
  labels: "list<int32>",
  response_mask: "list<float32>",
  end_of_turn: "list<uint8>",
} as const satisfies Record<string, ColumnType>;

const checkEvery = 64;

/**
 * Writes the rows of a dataset as the tokens that train, one after the other.
 * @returns what was written, in words
 */
export async function writeTokenRows(
  dataset: Dataset,
  tokenizer: Tokenizer,
  { out, options, working }: { out: string; options: TokenizeOptions; working: Working },
): Promise<string> {
  const { names = propertyNames } = options;
  const say = (sentence: string): void => working.say(`${dataset.name}: ${sentence}`);
  const aligner = alignColumns(dataset.tokenColumns, say, names);
  const counter = countRows(dataset.length);
  const losses = countLosses(tokenizer, { fromText: dataset.format !== "tokens", names });
  let file: RowsFile | undefined;
  let rows = 0;
  const add: RowSink["add"] = async (row, tokens, whole, where, cut) => {
    const columns = aligner.align(row.columns, whole(), cut, where);
    file ??= openRowsFile(out, typesWith(Object.keys(columns)), (row) => jsonOf(row, decimal));
    file.add({ ...written(row, tokens), ...columns });
    counter.add(row, tokens);
    losses.add(tokens);
    if (++rows % checkEvery === 0) await working.rows(Math.floor(row.rowId), dataset.length);
  };
  try {
    const { divided } = counter;
    await tokenizeEachRow(dataset, tokenizer, options, {
      add,
      divided,
      skip: (_rowId, reason) => counter.skip(reason),
    });
    await working.rows(dataset.length, dataset.length);
    if (file === undefined) throw noUsableRows(dataset, counter.stats, names);
    (file as RowsFile).finish();
  } finally {
    (file as RowsFile | undefined)?.abandon();
  }
  const { stats } = counter;
  const skipped = skippedRows(stats, names);
  if (skipped !== "") say(skipped);
  if (stats.truncated > 0)
    say(`${terminalNumber(stats.truncated)} rows are cut (${names("maxTokens", String(options.maxTokens))})`);
  for (const note of losses.notes(stats)) say(note);
  const share = `${formatShare(stats.responseTokens / stats.tokens, 1)} of them train`;
  return `${terminalNumber(rows)} rows of tokens, ${terminalNumber(stats.tokens)} tokens, ${share}`;
}

function written({ rowId }: Row, { ids, response, endOfTurn, dataWeights }: TokenizedRow): Record<string, unknown> {
  return {
    rowId,
    input_ids: ids,
    labels: ids.map((id, t) => (response[t] === 1 ? id : -100)),
    response_mask: Float32Array.from(response, (mark, t) => mark * (dataWeights?.[t] ?? 1)),
    end_of_turn: endOfTurn,
  };
}

/** @throws UserError for a per-token column that would be read as something else */
function typesWith(columns: readonly string[]): Record<string, ColumnType> {
  const types: Record<string, ColumnType> = { ...ownColumns };
  for (const column of columns) {
    if (Object.hasOwn(ownColumns, column)) throw taken(column);
    types[column] = "list<float32>";
  }
  const { name, fields } = chooseFormat("auto", Object.keys(types), {}, "");
  const stray = Object.values(fields).find((column) => !Object.hasOwn(ownColumns, column));
  if (name !== "tokens" || stray !== undefined) throw taken(stray ?? columns[0]!);
  return types;
}

function taken(column: string): UserError {
  return new UserError("conflicting-options", `the per-token column "${column}" would be read as something else`, {
    fix: "Name those that are to be written with --token-column (none for none).",
  });
}

function decimal(value: number, column: string): number {
  if (Number.isFinite(value)) return shortestDecimal(value);
  throw new UserError("not-finite", `the column "${column}" holds ${value}, which JSON cannot say`, {
    fix: "Name an .arrow file with --out.",
  });
}
