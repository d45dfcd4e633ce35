import { UserError } from "../system/errors.ts";
import { beginningIds, type TokenizedRow, type Tokenizer } from "../text/index.ts";
import type { Dataset } from "./dataset.ts";
import type { RowTokenOptions } from "./row-tokens.ts";
import { mostParts } from "./unpacked.ts";

/** Part of a row's tokens, which becomes a row. */
export interface Piece {
  readonly tokens: TokenizedRow;
  /** Takes out of a list of the whole row's tokens those of the piece. */
  cut(values: Float32Array): Float32Array;
}

/** Divides a row's tokens. */
export type Divide = (tokens: TokenizedRow, where: () => string) => readonly Piece[];

/** A row as the only piece of itself, perhaps without its end. */
export function undivided(tokens: TokenizedRow): readonly Piece[] {
  return [{ tokens, cut: (values) => values.subarray(0, tokens.ids.length) }];
}

/** Rows of plain text are divided, and rows of tokens that train like it; of a mixture, each row is asked. */
const divisible: readonly Dataset["format"][] = ["text", "tokens", "mixed"];

/**
 * Makes what divides rows into chunks of at most `maxTokens` tokens. Each chunk but the first begins, behind the
 * tokenizer's beginning token where the row begins with it, with the last `overlap` tokens of the chunk before: they
 * are context, and do not train again. So every token trains once, but for a row's first, which nothing predicts.
 *
 * @throws UserError for other formats than plain text, and for an overlap that leaves a chunk no token of its own
 */
export function divideBy(
  { maxTokens, overlap = Math.max(1, Math.floor((maxTokens ?? 0) / 8)) }: RowTokenOptions,
  { name, format, formatTitle }: Pick<Dataset, "name" | "format" | "formatTitle">,
  tokenizer: Tokenizer,
): Divide {
  if (!divisible.includes(format))
    throw new UserError("conflicting-options", `truncate: chunk divides plain text; this was read as ${formatTitle}`, {
      where: name,
      fix: "Take truncate: end or skip; or name the column of plain text with format: text.",
    });
  if (maxTokens === undefined)
    throw new UserError("missing-option", "truncate: chunk needs maxTokens, the length of a chunk", { where: name });
  const beginning = beginningIds(tokenizer);
  requireRoom(maxTokens, overlap, beginning.length);
  return (tokens, where) => {
    if (tokens.ids.length <= maxTokens) return undivided(tokens);
    if (format !== "text") requireText(tokens, beginning.length, where);
    const repeated = beginning.every((id, t) => tokens.ids[t] === id) ? beginning.length : 0;
    const chunks = chunksOf(tokens.ids.length, { maxTokens, overlap, repeated });
    if (chunks.length > mostParts)
      throw new UserError(
        "too-large",
        `the row would be divided into ${chunks.length} chunks, more than ${mostParts}`,
        {
          where: where(),
          fix: "Give a larger maxTokens, or a smaller overlap.",
        },
      );
    return chunks.map((chunk, number) => pieceOf(tokens, chunk, number));
  };
}

function requireRoom(maxTokens: number, overlap: number, beginning: number): void {
  if (!Number.isInteger(overlap) || overlap < 1)
    throw new UserError("out-of-range", `the overlap of chunks is ${overlap}, not a whole number of at least 1`, {
      fix: "A chunk's first token trains only if the token before it is there.",
    });
  if (overlap + beginning < maxTokens) return;
  const begun =
    beginning === 0 ? "" : ` with ${beginning === 1 ? "the beginning token" : `${beginning} beginning tokens`}`;
  throw new UserError(
    "out-of-range",
    `an overlap of ${overlap}${begun} leaves no room in chunks of ${maxTokens} tokens`,
    {
      fix: "Give a smaller overlap, or a larger maxTokens.",
    },
  );
}

/** Refuses rows that begin with a prompt, which later chunks would lack. */
function requireText({ response, ids }: TokenizedRow, beginning: number, where: () => string): void {
  if (response.subarray(0, Math.max(2, beginning + 1)).includes(1)) return;
  throw new UserError(
    "invalid-row",
    `the row has ${ids.length} tokens and begins with a prompt: truncate: chunk divides rows that train from their start`,
    { where: where(), fix: "Take truncate: end or skip." },
  );
}

/** A chunk: `repeated` tokens of the row's beginning, and those from `from` to before `to`, which train from `fresh` on. */
interface Chunk {
  readonly repeated: number;
  readonly from: number;
  readonly fresh: number;
  readonly to: number;
}

function chunksOf(
  length: number,
  { maxTokens, overlap, repeated }: { maxTokens: number; overlap: number; repeated: number },
): Chunk[] {
  const chunks: Chunk[] = [{ repeated: 0, from: 0, fresh: 0, to: maxTokens }];
  const room = maxTokens - repeated - overlap;
  for (let fresh = maxTokens; fresh < length; fresh += room)
    chunks.push({ repeated, from: fresh - overlap, fresh, to: Math.min(length, fresh + room) });
  return chunks;
}

function pieceOf(whole: TokenizedRow, { repeated, from, fresh, to }: Chunk, number: number): Piece {
  const { ids, response, endOfTurn, dataWeights, ...remarks } = whole;
  const cut = <A extends Int32Array | Uint8Array | Float32Array>(values: A): A => {
    const piece = values.slice(from - repeated, to) as A;
    piece.set(values.subarray(0, repeated));
    return piece;
  };
  const trained = <A extends Uint8Array | Float32Array>(values: A): A =>
    cut(values).fill(0, 0, repeated + fresh - from) as A;
  const tokens = {
    ids: cut(ids),
    response: trained(response),
    endOfTurn: trained(endOfTurn),
    ...(dataWeights && { dataWeights: trained(dataWeights) }),
  };
  return { tokens: { ...(number === 0 && remarks), ...tokens, truncated: false }, cut };
}
