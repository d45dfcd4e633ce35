import type { TokenView } from "../../data/tokenized.ts";
import type { ColorLevel } from "../../report/colors.ts";
import { terminalNumber } from "../../report/format.ts";
import { tokenLegendText, tokenPictureText } from "../../report/token-picture-terminal.ts";
import { tokenPicture } from "../../report/token-picture.ts";
import { UserError } from "../../system/errors.ts";
import { visibleString } from "../../system/visible-text.ts";
import type { Tokenizer } from "../../text/index.ts";
import { aligned } from "../layout.ts";

export interface RowPictureOptions {
  /** The per-token column that colours the tokens. */
  readonly column: string | undefined;
  readonly colors: ColorLevel;
  /** Columns of the terminal. */
  readonly width: number | undefined;
}

/** A row as a picture with its legend, and as a table of its tokens. */
export function rowText(row: TokenView, tokenizer: Tokenizer, options: RowPictureOptions): string {
  const { column, colors } = options;
  const { dataWeights, response, columns } = row;
  const names = Object.keys(columns);
  if (column !== undefined && !names.includes(column))
    throw new UserError("unknown-column", `there is no per-token column ${JSON.stringify(column)} (--column)`, {
      fix: `The data have ${names.join(", ") || "none"}.`,
    });
  const weighsApart = new Set(dataWeights?.filter((_, t) => response[t] === 1)).size > 1;
  const legend = tokenLegendText(column ?? (weighsApart ? "weight" : undefined), colors);
  return `${legend}${pictureText(row, tokenizer, options)}\n${tableText(row, tokenizer)}`;
}

/** The row's tokens with their marks, below a heading. */
export function pictureText(
  { rowId, ids, response, columns, dataWeights }: TokenView,
  tokenizer: Tokenizer,
  { column, colors, width }: RowPictureOptions,
): string {
  const pieces = Array.from(ids, (id) => tokenizer.piece(id));
  const row = {
    ...{ rowId, pieces, response: Array.from(response), weights: Array.from(dataWeights ?? response) },
    score: column === undefined ? pieces.map(() => null) : Array.from(columns[column]!),
    scoreName: column ?? "",
    ...(columns["noise"] !== undefined && { noise: Array.from(columns["noise"]) }),
  };
  return tokenPictureText(tokenPicture(row), {
    colors,
    weights: dataWeights !== undefined,
    ...(width !== undefined && { width }),
  });
}

function tableText({ ids, response, endOfTurn, columns, dataWeights }: TokenView, tokenizer: Tokenizer): string {
  const names = Object.keys(columns);
  const weight = dataWeights === undefined ? [] : ["weight"];
  return aligned(
    [
      ["t", "id", "mask", ...weight, "end", "token", ...names],
      ...Array.from(ids, (id, t) => [
        ...[String(t), String(id), String(response[t]), ...weight.map(() => terminalNumber(dataWeights![t]))],
        ...[endOfTurn[t] ? "end" : "", visibleString(tokenizer.piece(id), 40)],
        ...names.map((name) => terminalNumber(columns[name]![t])),
      ]),
    ],
    new Set([0, 1, 2, ...weight.map(() => 3), ...names.map((_, i) => 5 + weight.length + i)]),
  );
}
