import { tokensOfRow } from "../../data/row-tokens.ts";
import type { TokenView } from "../../data/tokenized.ts";
import { terminalText } from "../../system/visible-text.ts";
import type { Tokenizer } from "../../text/index.ts";
import { pictureText, type RowPictureOptions } from "./row-text.ts";
import type { DataSource } from "./source.ts";

/** The rejected side of a preference row, as the chosen one is shown; undefined for rows of another format. */
export async function rejectedText(
  { dataset, options, reopen }: DataSource,
  tokenizer: Tokenizer,
  rowId: number,
  picture: RowPictureOptions,
): Promise<string | undefined> {
  const { chosen, rejected } = dataset.fields;
  if (dataset.format !== "preference" || chosen === undefined || rejected === undefined) return undefined;
  const swapped = await reopen({ chosen: rejected, rejected: chosen });
  try {
    const row = await swapped.row(rowId);
    const where = (): string => dataset.where(rowId);
    const tokens = "skipped" in row ? row : tokensOfRow(row, tokenizer, options, where);
    if ("skipped" in tokens) return `rejected side, which does not train: ${terminalText(tokens.skipped)}\n`;
    const view: TokenView = { rowId, ...tokens, columns: {} };
    const [, ...lines] = pictureText(view, tokenizer, { ...picture, column: undefined }).split("\n");
    return `rejected side, which does not train:\n${lines.join("\n")}`;
  } finally {
    await swapped.close();
  }
}
