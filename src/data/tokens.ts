import { createHash } from "node:crypto";
import { UserError } from "../system/errors.ts";
import { propertyNames, type OptionNames } from "../system/option-names.ts";
import type { Tokenizer } from "../text/index.ts";
import { alignColumns } from "./align.ts";
import { loadTokens, saveTokens, startTokens, sweepCache, type Notice } from "./cache.ts";
import { collectTokens } from "./collect-tokens.ts";
import type { Dataset } from "./dataset.ts";
import { countLosses } from "./lossy.ts";
import { lengthReasons } from "./row-tokens.ts";
import { samplingOf } from "./sampling.ts";
import { tokenizeEachRow, type EachRowOptions, type RowSink } from "./tokenize-rows.ts";
import type { TokenizedDataset, TokenizedStats } from "./tokenized.ts";
import { whereMuchIsLeft, type Helping } from "./tokens-ahead.ts";

/** What becomes of a row's text, and where its tokens are cached. */
export interface TokenizeOptions extends EachRowOptions {
  /** Folder for the token cache; without it nothing is kept, and all tokens are held in memory. */
  cacheFolder?: string;
  /**
   * Bytes of tokens that are held in memory, default 64 MiB: of a larger dataset the rows are read from the token cache
   * as they are asked for. 6 bytes a token, and 4 more for weights of the data and for each per-token column.
   */
  memory?: number;
  /** Called with sentences worth telling: skipped rows, columns that were left out, an unusable cache. */
  onNotice?: Notice;
  /**
   * Called with each row that is not used: with the reason, or with the error that would end the reading at this row,
   * which then goes on without it. Not called for tokens from the cache.
   */
  onLeftOut?: (rowId: number, reason: string | UserError) => void;
}

const MEMORY = 1 << 26;

/** Raised when the same options would give other tokens. */
const TOKENS_VERSION = 3;

/**
 * Tokenizes every row once, or takes the tokens from the cache (see `tokensOfRow` for what a row becomes).
 * Rows without a response, or whose response is cut away, are left out and counted in `stats.skipped`.
 *
 * @throws UserError when no row can be trained, or naming file and row of a per-token column that does not fit
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { fromRows, tokenizeDataset } from "tokensift/data";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const question = "Sami has 6 bags with 6 ropes in each bag . How many ropes does Sami have now ?";
 * const tokens = await tokenizeDataset(fromRows([{ question, answer: "6 * 6 = 36 . #### 36" }]), model.tokenizer);
 * tokens.length; //=> 1
 * const { ids, response } = tokens.row(0);
 * ids.length; //=> 31
 * response.filter((trained) => trained === 1).length; //=> 9
 * releaseEngine();
 */
export async function tokenizeDataset(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: TokenizeOptions = {},
): Promise<TokenizedDataset> {
  return tokenizeTogether(dataset, tokenizer, options, whereMuchIsLeft);
}

/** The same, with a say in when other threads are asked for help. */
export async function tokenizeTogether(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: TokenizeOptions,
  helping: Helping,
): Promise<TokenizedDataset> {
  const { cacheFolder, memory = MEMORY, onNotice = () => undefined, names = propertyNames } = options;
  const fingerprint = fingerprintOf(dataset, tokenizer, options);
  if (cacheFolder !== undefined) sweepCache(cacheFolder);
  const cached = cacheFolder === undefined ? undefined : loadTokens(cacheFolder, fingerprint, onNotice, memory);
  const tokens = cached ?? (await tokenizeRows(dataset, tokenizer, { ...options, memory, helping }, fingerprint));
  const skipped = skippedRows(tokens.stats, names);
  if (skipped !== "") onNotice(`${dataset.name}: ${skipped}`);
  const { divided } = tokens.stats;
  if (divided !== undefined) {
    const { rows, chunks } = divided;
    const into = `${chunks} chunks of at most ${options.maxTokens} tokens`;
    onNotice(`${dataset.name}: ${rows} of ${tokens.stats.rows} rows are divided into ${into}`);
  }
  const losses = countLosses(tokenizer, { fromText: dataset.format !== "tokens", names, counted: tokens.losses });
  if (tokens.losses === undefined) for (let i = 0; i < tokens.length; i++) losses.add(tokens.row(i));
  for (const note of losses.notes(tokens.stats)) onNotice(`${dataset.name}: ${note}`);
  const sampling = samplingOf(dataset.parts ?? [], tokens);
  return sampling === undefined ? tokens : { ...tokens, sampling };
}

function fingerprintOf(dataset: Dataset, tokenizer: Tokenizer, options: TokenizeOptions): string {
  const { maxTokens, truncate, overlap, template, separator, trainTurns, systemPrompt } = options;
  const { promptWeight = 0, systemWeight = promptWeight } = options;
  const parts = [TOKENS_VERSION, dataset.fingerprint, tokenizer.fingerprint, tokenizer.chatTemplate];
  const text = JSON.stringify([
    ...[...parts, maxTokens, truncate, template, separator, trainTurns, systemPrompt].map((part) => part ?? null),
    ...(promptWeight === 0 && systemWeight === 0 ? [] : [promptWeight, systemWeight]),
    ...(truncate === "chunk" ? [{ overlap }] : []),
  ]);
  return createHash("sha256").update(text).digest("hex");
}

async function tokenizeRows(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: TokenizeOptions & { memory: number; helping: Helping },
  fingerprint: string,
): Promise<TokenizedDataset> {
  const { cacheFolder, memory, onNotice = () => undefined, onLeftOut, names = propertyNames } = options;
  const aligner = alignColumns(dataset.tokenColumns, onNotice, names);
  const spill = cacheFolder === undefined ? undefined : () => startTokens(cacheFolder, fingerprint, onNotice);
  const collector = collectTokens(dataset.length, aligner, { memory, spill });
  const losses = countLosses(tokenizer, { fromText: dataset.format !== "tokens", names });
  const sink: RowSink = {
    add(row, tokenized, ...others) {
      losses.add(tokenized);
      return collector.add(row, tokenized, ...others);
    },
    divided: collector.divided,
    skip(rowId, reason) {
      collector.skip(reason);
      onLeftOut?.(rowId, reason);
    },
    ...(onLeftOut && { refuse: onLeftOut }),
  };
  try {
    await tokenizeEachRow(dataset, tokenizer, options, sink, options.helping);
  } catch (error) {
    collector.abandon();
    throw error;
  }
  const tokens = collector.done(fingerprint, losses.counts());
  if (tokens.length === 0) throw noUsableRows(dataset, tokens.stats, names);
  if (cacheFolder !== undefined && !collector.askedForFile) saveTokens(cacheFolder, tokens, onNotice);
  return tokens;
}

/** What is said of data of which no row trains. */
export function noUsableRows(dataset: Dataset, stats: TokenizedStats, names: OptionNames): UserError {
  const reasons = skippedRows(stats, names);
  return new UserError("no-usable-rows", `no row can be trained${reasons === "" ? "" : `: ${reasons}`}`, {
    where: dataset.name,
    fix: `It was read as ${dataset.format} from the columns ${dataset.columns.join(", ")}; name others with ${names("fields")}, or raise ${names("maxTokens")}.`,
  });
}

/** How many rows are left out and why, with the option that would let them in. */
export function skippedRows({ rows, skipped }: TokenizedStats, names: OptionNames): string {
  const because = (reason: string): string =>
    lengthReasons.includes(reason) ? `${reason}, ${names("maxTokens")}` : reason;
  return Object.entries(skipped)
    .map(([reason, count]) => `${count} of ${rows} rows are left out (${because(reason)})`)
    .join(", ");
}
