import { createHash } from "node:crypto";
import { UserError } from "../system/errors.ts";
import { letEventsIn } from "../system/event-loop.ts";
import type { TokenizedRow, Tokenizer } from "../text/index.ts";
import { collectColumns, countOnes } from "./align.ts";
import { loadTokens, saveTokens, type Notice } from "./cache.ts";
import type { Dataset, Row } from "./dataset.ts";
import { lossNotes } from "./lossy.ts";
import { tokensOfRow, type RowTokenOptions } from "./row-tokens.ts";
import { samplingOf } from "./sampling.ts";
import { unpacked } from "./unpacked.ts";
import { weighed } from "./weighed.ts";
import { growing, tokenizedDataset, type TokenizedDataset, type TokenizedStats } from "./tokenized.ts";

/** What becomes of a row's text, and where its tokens are cached. */
export interface TokenizeOptions extends RowTokenOptions {
  /** Folder for the token cache; without it nothing is kept. */
  cacheFolder?: string;
  /** Called now and then with the rows done. */
  onProgress?: (done: number, total: number) => void;
  /** Called with sentences worth telling: skipped rows, columns that were left out, an unusable cache. */
  onNotice?: Notice;
}

/** Raised when the same options would give other tokens. */
const TOKENS_VERSION = 3;
const PROGRESS_EVERY = 500;

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
  const { cacheFolder, onNotice = () => undefined } = options;
  const fingerprint = fingerprintOf(dataset, tokenizer, options);
  const cached = cacheFolder === undefined ? undefined : loadTokens(cacheFolder, fingerprint, onNotice);
  const tokens = cached ?? (await tokenizeRows(dataset, tokenizer, options, fingerprint));
  if (!cached && cacheFolder !== undefined) saveTokens(cacheFolder, tokens, onNotice);
  const skipped = skippedRows(tokens.stats);
  if (skipped !== "") onNotice(`${dataset.name}: ${skipped}`);
  const notes = lossNotes(tokens, tokenizer, { fromText: dataset.format !== "tokens" });
  for (const note of notes) onNotice(`${dataset.name}: ${note}`);
  const sampling = samplingOf(dataset.parts ?? [], tokens);
  return sampling === undefined ? tokens : { ...tokens, sampling };
}

function fingerprintOf(dataset: Dataset, tokenizer: Tokenizer, options: TokenizeOptions): string {
  const { maxTokens, truncate, template, separator, trainTurns, systemPrompt } = options;
  const { promptWeight = 0, systemWeight = promptWeight } = options;
  const parts = [TOKENS_VERSION, dataset.fingerprint, tokenizer.fingerprint, tokenizer.chatTemplate];
  const text = JSON.stringify([
    ...[...parts, maxTokens, truncate, template, separator, trainTurns, systemPrompt].map((part) => part ?? null),
    ...(promptWeight === 0 && systemWeight === 0 ? [] : [promptWeight, systemWeight]),
  ]);
  return createHash("sha256").update(text).digest("hex");
}

async function tokenizeRows(
  dataset: Dataset,
  tokenizer: Tokenizer,
  options: TokenizeOptions,
  fingerprint: string,
): Promise<TokenizedDataset> {
  const { onProgress, onNotice = () => undefined } = options;
  const collector = collectTokens(dataset.length, collectColumns(dataset.tokenColumns, onNotice));
  for await (const row of dataset.entries()) {
    const { rowId } = row;
    if (rowId % PROGRESS_EVERY === 0) {
      onProgress?.(rowId, dataset.length);
      await letEventsIn();
    }
    const where = (): string => dataset.where(rowId);
    if ("skipped" in row) collector.skip(row.skipped);
    else
      for (const part of unpacked(row)) {
        const tokens = tokensOfRow(part, tokenizer, options, where);
        if ("skipped" in tokens) collector.skip(tokens.skipped);
        else {
          let full: Uint8Array | undefined;
          const whole = (): Uint8Array =>
            (full ??= tokens.truncated ? uncut(part, tokenizer, options, where) : tokens.response);
          collector.add(part, weighed(part, tokens, whole, where), whole, where);
        }
      }
  }
  onProgress?.(dataset.length, dataset.length);
  const tokens = collector.done(fingerprint);
  if (tokens.length > 0) return tokens;
  throw new UserError("no-usable-rows", `no row can be trained: ${skippedRows(tokens.stats)}`, {
    where: dataset.name,
    fix: `It was read as ${dataset.format} from the columns ${dataset.columns.join(", ")}; name others with fields, or raise maxTokens.`,
  });
}

/** The response marks of a row as they were before it was cut. */
function uncut(row: Row, tokenizer: Tokenizer, options: TokenizeOptions, where: () => string): Uint8Array {
  const tokens = tokensOfRow(row, tokenizer, { ...options, maxTokens: undefined }, where);
  return "skipped" in tokens ? new Uint8Array() : tokens.response;
}

function collectTokens(rows: number, columns: ReturnType<typeof collectColumns>) {
  const ids = growing((n) => new Int32Array(n));
  const response = growing((n) => new Uint8Array(n));
  const endOfTurn = growing((n) => new Uint8Array(n));
  let dataWeights: ReturnType<typeof growing<Float32Array>> | undefined;
  const rowIds = growing((n) => new Float64Array(n));
  const offsets = growing((n) => new Float64Array(n));
  const stats: TokenizedStats = { rows, skipped: {}, truncated: 0, tokens: 0, responseTokens: 0 };
  offsets.push([0]);

  const skip = (reason: string): void => count(stats.skipped, reason);
  const add = (row: Row, tokens: TokenizedRow, whole: () => Uint8Array, where: () => string): void => {
    const [trained, ends] = [tokens.response.slice(), tokens.endOfTurn.slice()];
    trained[0] = ends[0] = 0; // nothing precedes the first token
    const weights = tokens.dataWeights?.map((weight, t) => (t === 0 || weight === 0 ? 0 : weight));
    if (weights) requireFiniteWeights(weights, where);
    // numbers too small for float32 are 0
    if (weights) trained.forEach((mark, t) => (trained[t] = weights[t] === 0 ? 0 : mark));
    if (!trained.includes(1)) return skip("no response");
    const full = Object.keys(row.columns).length > 0 ? whole() : tokens.response;
    columns.add(row.columns, full, tokens.ids.length, where);
    if (weights !== undefined && dataWeights === undefined) {
      dataWeights = growing((n) => new Float32Array(n));
      dataWeights.push(response.done()); // what came before counts 1
    }
    dataWeights?.push(weights ?? trained);
    ids.push(tokens.ids);
    response.push(trained);
    endOfTurn.push(ends);
    rowIds.push([row.rowId]);
    offsets.push([ids.length]);
    stats.tokens = ids.length;
    stats.responseTokens += countOnes(trained);
    if (tokens.truncated) stats.truncated++;
    for (const column of [...(row.unused ?? []), ...(tokens.unused ?? [])]) count((stats.unused ??= {}), column);
    for (const remark of new Set([...(row.remarks ?? []), ...(tokens.remarks ?? [])]))
      count((stats.remarks ??= {}), remark);
  };
  const done = (fingerprint: string): TokenizedDataset =>
    tokenizedDataset({
      rowIds: rowIds.done(),
      offsets: offsets.done(),
      ids: ids.done(),
      response: response.done(),
      endOfTurn: endOfTurn.done(),
      ...(dataWeights && { dataWeights: dataWeights.done() }),
      columns: columns.done(),
      stats,
      fingerprint,
    });
  return { skip, add, done };
}

function requireFiniteWeights(weights: Float32Array, where: () => string): void {
  const bad = weights.findIndex((weight) => !Number.isFinite(weight));
  if (bad < 0) return;
  throw new UserError("invalid-weight", `the data give token ${bad} the weight ${weights[bad]}`, {
    where: where(),
    fix: "Weights are finite numbers that 32 bits hold.",
  });
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function skippedRows({ rows, skipped }: TokenizedStats): string {
  const reasons = Object.entries(skipped).map(([reason, count]) => `${count} of ${rows} rows are left out (${reason})`);
  return reasons.join(", ");
}
