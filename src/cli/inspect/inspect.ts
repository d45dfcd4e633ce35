import type { Dataset } from "../../data/dataset.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { tokenizeDataset, type TokenizeOptions } from "../../data/tokens.ts";
import { createProgress } from "../../report/progress.ts";
import { colorLevel, type ColorLevel } from "../../report/colors.ts";
import { UserError } from "../../system/errors.ts";
import type { Streams, TextStream } from "../../system/streams.ts";
import { terminalText } from "../../system/visible-text.ts";
import type { Tokenizer } from "../../text/index.ts";
import { defineCommand } from "../command.ts";
import { dataFlags } from "../data-flags.ts";
import { oneOf, wholeNumber } from "../values.ts";
import { collectLeftOut, readAllRows, type LeftOut } from "./left-out.ts";
import { rejectedText } from "./rejected-side.ts";
import { rowText, type RowPictureOptions } from "./row-text.ts";
import { openSource, type DataSource } from "./source.ts";
import { longestRow, summaryText } from "./summary.ts";

/** `tokensift inspect`. */
export const inspect = defineCommand({
  usage: "inspect --data PATH [--model DIR|FILE.gguf] | --config RUN.yaml  [--row N] [flags]",
  summary: "Shows how data are read: format, columns, what is left out and why, and one row as tokens with its mask.",
  details: `
All rows are read (or the first --rows N). Of the model only the tokenizer is loaded; without one, the data are read and
no tokens are counted. With --config, model and data are those of a recipe's configuration, and --set changes it.

In the picture prompt tokens stand between ‹ and ›, and are dim; those that train are green, or shaded by what the data
let them count, where they say: ×0.5 stands before tokens that count half. The table lists each token with its mask
(1 = trained, 0 = not) and weight; "end" marks the token that ends a turn. A per-token column named noise marks tokens
with ~. Of a preference row the rejected side stands below.

A row at which a run would end is named with its reason, and then the exit code is 2, as that of the run would be.`,
  flags: {
    ...dataFlags,
    model: {
      type: "string",
      value: "PATH",
      description: "Whose tokenizer to use. Default: models/tiny of a checkout.",
    },
    "max-tokens": { type: "string", value: "N", description: "Cut longer rows to N tokens. Default: no limit." },
    config: { type: "string", value: "FILE", description: "A recipe's configuration, in place of the flags above." },
    set: { type: "string", multiple: true, value: "KEY=VALUE", description: "Of --config: another value for a key." },
    validation: { type: "boolean", description: "Of --config: the held-out rows (data.validation)." },
    row: {
      type: "string",
      value: "N",
      description: "Number of the row to show, from 0. Default: the first one that trains.",
    },
    column: { type: "string", value: "NAME", description: "Colour the tokens by this per-token column." },
    color: { type: "string", value: "WHEN", description: "auto (default; NO_COLOR counts), always or never." },
  },
  run: async (values, streams) => {
    const wanted = wholeNumber("row", values.row, { minimum: 0 });
    const colors = colorsOf(values.color, streams.stdout);
    const source = await openSource(values);
    try {
      await inspectSource(source, { wanted, column: values.column, colors }, streams);
    } finally {
      await source.dataset.close();
    }
  },
});

function colorsOf(when: string | undefined, stdout: TextStream): ColorLevel {
  const choice = oneOf("color", when ?? "auto", ["auto", "always", "never"]);
  if (choice === "never") return "none";
  const level = colorLevel(stdout);
  return choice === "always" && level === "none" ? "256" : level;
}

async function inspectSource(
  source: DataSource,
  shown: { wanted: number | undefined } & Pick<RowPictureOptions, "column" | "colors">,
  { stdout, stderr }: Streams,
): Promise<void> {
  const { dataset, tokenizer, options } = source;
  const { wanted } = shown;
  if (wanted !== undefined && wanted >= dataset.length)
    throw new UserError("unknown-row", `there is no row ${wanted}`, {
      where: dataset.name,
      fix: `Its rows are 0 to ${dataset.length - 1}.`,
    });
  const leftOut = collectLeftOut(dataset, wanted);
  const notes: string[] = [];
  const onNotice = (sentence: string): void => void notes.push(terminalText(sentence));
  const working = { ...options, onNotice, onLeftOut: leftOut.add };
  const { tokens, failure } =
    tokenizer === undefined
      ? { tokens: undefined, failure: undefined }
      : await usableTokens(dataset, tokenizer.tokenizer, withProgress(working, dataset, stderr));
  if (tokenizer === undefined) await readAllRows(dataset, leftOut);
  const longest =
    tokens === undefined || tokenizer === undefined ? undefined : await longestRow(dataset, tokenizer, tokens, options);
  stdout.write(summaryText({ source, tokens, leftOut, notes, longest }));
  const picture = { ...shown, width: stdout.columns };
  if (tokens !== undefined && tokenizer !== undefined)
    stdout.write(`\n${await rowOrReason(source, tokens, tokenizer.tokenizer, { leftOut, wanted, picture })}`);
  else if (wanted !== undefined && leftOut.wanted !== undefined)
    stdout.write(`\n${leftOutText(wanted, leftOut.wanted)}`);
  const [refused] = leftOut.refused;
  if (refused !== undefined) throw refused.error;
  if (failure !== undefined) throw failure;
}

/** The tokens, or the error where no row gives any. */
async function usableTokens(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: TokenizeOptions,
): Promise<{ tokens?: TokenizedDataset; failure?: UserError }> {
  try {
    return { tokens: await tokenizeDataset(dataset, tokenizer, options) };
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "no-usable-rows") throw error;
    return { failure: error };
  }
}

/** A terminal is shown how far it is. */
function withProgress(options: TokenizeOptions, { length }: Dataset, stderr: TextStream): TokenizeOptions {
  if (stderr.isTTY !== true) return options;
  const progress = createProgress({ stream: stderr, total: length, label: "tokenizing" });
  return {
    ...options,
    onProgress(done, total) {
      progress.update({ step: done });
      if (done === total) progress.done();
    },
  };
}

async function rowOrReason(
  source: DataSource,
  tokens: TokenizedDataset,
  tokenizer: Tokenizer,
  { leftOut, wanted, picture }: { leftOut: LeftOut; wanted: number | undefined; picture: RowPictureOptions },
): Promise<string> {
  const index = wanted === undefined ? 0 : tokens.rowIds.findIndex((rowId) => Math.floor(rowId) === wanted);
  if (index < 0) return leftOutText(wanted!, leftOut.wanted ?? "nothing of it trains");
  const row = tokens.row(index);
  const text = rowText(row, tokenizer, picture);
  const texts = tokens.rowIds.filter((rowId) => Math.floor(rowId) === Math.floor(row.rowId)).length;
  const parts = source.options.truncate === "chunk" ? "rows of tokens are made of" : "texts are packed into";
  const packed = texts > 1 ? `${texts} ${parts} this row; the first of them:\n\n` : "";
  const rejected = await rejectedText(source, tokenizer, Math.floor(row.rowId), picture);
  return `${packed}${text}${rejected === undefined ? "" : `\n${rejected}`}`;
}

function leftOutText(rowId: number, reason: string): string {
  return `row ${rowId} is left out: ${terminalText(reason)}\n`;
}
