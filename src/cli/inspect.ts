import { tokenizeDataset } from "../data/tokens.ts";
import type { Dataset } from "../data/dataset.ts";
import type { TokenizedDataset, TokenView } from "../data/tokenized.ts";
import { UserError } from "../system/errors.ts";
import { colorLevel } from "../report/colors.ts";
import { formatNumber, formatShare } from "../report/format.ts";
import { tokenLegendText, tokenPictureText } from "../report/token-picture-terminal.ts";
import { tokenPicture } from "../report/token-picture.ts";
import { terminalText, visibleString } from "../system/visible-text.ts";
import type { Tokenizer } from "../text/index.ts";
import { defineCommand } from "./command.ts";
import type { TextStream } from "../system/streams.ts";
import { dataFlags, openData, tokenOptions } from "./data-flags.ts";
import { aligned, labelled } from "./layout.ts";
import { openTokenizer } from "./open-tokenizer.ts";
import { wholeNumber } from "./values.ts";

/** `tokensift inspect`. */
export const inspect = defineCommand({
  usage: "inspect --data FILE [--model DIR|FILE.gguf] [--row N] [flags]",
  summary: "Shows how a data file is read, and one row as tokens with its mask.",
  details:
    "Of the model only the tokenizer is loaded. The table lists each token with its mask: 1 = trained, 0 = prompt;\n" +
    'weight = what the data let a token count, where they say; "end" marks the token that ends a turn. A per-token\n' +
    "column named noise marks tokens in the picture.",
  flags: {
    ...dataFlags,
    model: {
      type: "string",
      value: "PATH",
      description: "Whose tokenizer to use. Default: models/tiny of a checkout.",
    },
    row: {
      type: "string",
      value: "N",
      description: "Number of the row to show, from 0. Default: the first one that trains.",
    },
    "max-tokens": { type: "string", value: "N", description: "Cut longer rows to N tokens. Default: no limit." },
    column: { type: "string", value: "NAME", description: "Colour the tokens by this per-token column." },
  },
  run: async (values, { stdout }) => {
    const wanted = wholeNumber("row", values.row, { minimum: 0 });
    const maxTokens = wholeNumber("max-tokens", values["max-tokens"], { minimum: 2 });
    const dataset = await openData(values);
    try {
      if (wanted !== undefined && wanted >= dataset.length)
        throw new UserError("unknown-row", `there is no row ${wanted}`, {
          where: values.data!,
          fix: `Its rows are 0 to ${dataset.length - 1}.`,
        });
      const { tokenizer, path } = await openTokenizer(values.model);
      const notes: string[] = [];
      const onNotice = (sentence: string): void => void notes.push(terminalText(sentence));
      const tokens = await tokenizeDataset(dataset, tokenizer, { ...tokenOptions(values), maxTokens, onNotice });
      stdout.write(summaryText(dataset, tokens, path, notes));
      const index = wanted === undefined ? 0 : tokens.rowIds.indexOf(wanted);
      if (index < 0) stdout.write(`\nrow ${wanted} is left out: ${await reasonFor(dataset, wanted!)}\n`);
      else stdout.write(`\n${rowText(tokens.row(index), tokenizer, values.column, stdout)}`);
    } finally {
      await dataset.close();
    }
  },
});

function summaryText(dataset: Dataset, tokens: TokenizedDataset, model: string, notes: readonly string[]): string {
  const { stats } = tokens;
  const left = Object.entries(stats.skipped).map(([reason, count]) => `${formatNumber(count)} left out (${reason})`);
  const cut = stats.truncated > 0 ? [`${formatNumber(stats.truncated)} cut`] : [];
  const lengths = Array.from({ length: tokens.length }, (_, i) => tokens.lengthOf(i)).sort((a, b) => a - b);
  const perRow = `${lengths[0]!} to ${lengths.at(-1)!} a row, median ${lengths[Math.floor((lengths.length - 1) / 2)]!}`;
  const share = `${formatNumber(stats.responseTokens)} (${formatShare(stats.responseTokens / stats.tokens, 1)}) in responses`;
  const columns = Object.keys(tokens.columns);
  return labelled([
    ["data", terminalText(dataset.files.join(", "))],
    ["format", terminalText(`${formatText(dataset)}, from the columns ${dataset.columns.join(", ")}`)],
    ["tokenizer", terminalText(model)],
    [
      "rows",
      [`${formatNumber(stats.rows)} read`, `${formatNumber(tokens.length)} to train on`, ...left, ...cut].join(", "),
    ],
    ["tokens", `${formatNumber(stats.tokens)}, ${share}; ${perRow}`],
    ["columns", columns.length === 0 ? "none per token" : terminalText(`per token: ${columns.join(", ")}`)],
    ...notes.map((note) => ["note", note] as const),
  ]);
}

/** As a configuration calls it, and as a person does where that is another word: "messages (chat)". */
function formatText({ format, formatTitle }: Dataset): string {
  return format === formatTitle ? format : `${format} (${formatTitle})`;
}

async function reasonFor(dataset: Dataset, rowId: number): Promise<string> {
  const row = await dataset.row(rowId);
  return "skipped" in row ? row.skipped : "nothing of its response is left to train within the limit of tokens";
}

function rowText(row: TokenView, tokenizer: Tokenizer, column: string | undefined, stdout: TextStream): string {
  const { rowId, response, endOfTurn, columns, dataWeights } = row;
  const names = Object.keys(columns);
  if (column !== undefined && !names.includes(column))
    throw new UserError("unknown-column", `there is no per-token column ${JSON.stringify(column)}`, {
      fix: `The data have ${names.join(", ") || "none"}.`,
    });
  const pieces = Array.from(row.ids, (id) => tokenizer.piece(id));
  const picture = tokenPicture({
    ...{ rowId, pieces, response: Array.from(response), weights: Array.from(dataWeights ?? response) },
    score: column === undefined ? pieces.map(() => null) : Array.from(columns[column]!),
    scoreName: column ?? "",
    ...(columns["noise"] === undefined ? {} : { noise: Array.from(columns["noise"]) }),
  });
  const colors = colorLevel(stdout);
  const options = { colors, ...(stdout.columns === undefined ? {} : { width: stdout.columns }) };
  const legend = tokenLegendText(column ?? "no score", column === undefined ? "none" : colors);
  const weight = dataWeights === undefined ? [] : ["weight"];
  const table = aligned(
    [
      ["t", "id", "mask", ...weight, "end", "token", ...names],
      ...pieces.map((piece, t) => [
        ...[String(t), String(row.ids[t]), String(response[t]), ...weight.map(() => formatNumber(dataWeights![t]))],
        ...[endOfTurn[t] ? "end" : "", visibleString(piece, 40)],
        ...names.map((name) => formatNumber(columns[name]![t])),
      ]),
    ],
    new Set([0, 1, 2, ...weight.map(() => 3), ...names.map((_, i) => 5 + weight.length + i)]),
  );
  return `${legend}${tokenPictureText(picture, options)}\n${table}`;
}
