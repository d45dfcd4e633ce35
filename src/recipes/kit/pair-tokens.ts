import type { Dataset } from "../../data/dataset.ts";
import { preferenceFormat } from "../../data/preference-format.ts";
import { lastTurn } from "../../data/last-turn.ts";
import type { TokenizedDataset } from "../../data/tokenized.ts";
import { UserError } from "../../system/errors.ts";

/** What a recipe that learns from preference pairs wants of them. */
export interface PairReading {
  /** Whether their token weights are read, and the objective that does. */
  readonly weights: string | undefined;
}

/** Both answers of preference rows as tokens, whole: rows that are too long are left out. */
export interface PairTokens {
  readonly chosen: TokenizedDataset;
  readonly rejected: TokenizedDataset;
  /** Names the tokens and weights of both sides. */
  readonly fingerprint: string;
}

/** Where preference rows have a weight for each token of their answers. */
export const weightColumns = { chosen: "chosen_weights", rejected: "rejected_weights" } as const;

/** Throws a UserError for pairs among other rows, and for rows without the token weights that an objective reads. */
export function requireReadable({ format, formatTitle, name }: Dataset, { weights }: PairReading): void {
  if (format === "mixed" && formatTitle.split(", ").includes(preferenceFormat.title))
    throw new UserError("invalid-option", `some of the data are preference pairs, others are not (${formatTitle})`, {
      where: name,
      fix: "Give pairs alone, to learn from them, or questions alone, to learn from the model's own answers.",
    });
  if (weights === undefined || format === "preference") return;
  throw new UserError("missing-option", `${weights} reads token weights, and the rows are no pairs with weights`, {
    where: name,
    fix: "Give rows with chosen, rejected, chosen_weights and rejected_weights, or a file of scored pairs in stages.score.",
  });
}

/** The columns to read of one side. Throws a UserError where weights are wanted that the rows do not have. */
export function pairColumns(
  { columns, name }: Dataset,
  side: "chosen" | "rejected",
  { weights }: PairReading,
): { tokenColumns: string[] } {
  if (weights === undefined) return { tokenColumns: [] };
  const absent = Object.values(weightColumns).filter((column) => !columns.includes(column));
  if (absent.length === 0) return { tokenColumns: [weightColumns[side]] };
  throw new UserError("missing-column", `the pairs have no column ${absent.join(" and none ")}`, {
    where: name,
    fix: `${weights} reads a weight of every token: give a list for each answer, with a number for its end token, too.`,
  });
}

/** A sentence on weights that stand in the data and are not read; undefined where there are none. */
export function idleWeights({ columns, name }: Dataset, { weights }: PairReading): string | undefined {
  const idle = Object.values(weightColumns).filter((column) => columns.includes(column));
  if (weights !== undefined || idle.length === 0) return undefined;
  return `${name}: ${idle.join(" and ")}: not used, as no objective reads weights (columns does).`;
}

/** One answer of a pair. */
export interface PairedAnswer {
  readonly prompt: readonly number[];
  readonly ids: readonly number[];
  readonly finished: boolean;
  /** One for each of `ids`. */
  readonly weights?: Float32Array;
}

/** A preference row as tokens. */
export interface TokenizedPair {
  readonly rowId: number;
  readonly chosen: PairedAnswer;
  readonly rejected: PairedAnswer;
}

/**
 * The pairs of preference rows, in their order.
 * @param note told how many rows are left out, and why
 * @throws UserError where no row is left
 */
export function pairsOf(
  { chosen, rejected }: PairTokens,
  name: string,
  note: (sentence: string) => void,
): TokenizedPair[] {
  const places = new Map(Array.from(rejected.rowIds, (rowId, index) => [rowId, index]));
  const leftOut = new Map<string, number>();
  const leave = (reason: string): [] => {
    leftOut.set(reason, (leftOut.get(reason) ?? 0) + 1);
    return [];
  };
  const pairs = Array.from(chosen.rowIds, (rowId, index) => ({ rowId, index, other: places.get(rowId) })).flatMap(
    ({ rowId, index, other }) => {
      if (other === undefined) return leave("the rejected answer is empty or too long");
      if (segments(chosen, index) > 1 || segments(rejected, other) > 1)
        return leave("the answers go on over several turns");
      const pair = {
        rowId,
        chosen: answerOf(chosen, index, "chosen"),
        rejected: answerOf(rejected, other, "rejected"),
      };
      if (!same(pair.chosen.prompt, pair.rejected.prompt)) return leave("the answers do not have the same prompt");
      if (same(pair.chosen.ids, pair.rejected.ids)) return leave("both answers are the same");
      return [pair];
    },
  );
  const reasons = [...leftOut].map(([reason, count]) => `${count} (${reason})`).join(", ");
  if (pairs.length === 0)
    throw new UserError("no-usable-rows", `no row is a pair of answers to one prompt${reasons && `: ${reasons}`}`, {
      where: name,
      fix: "Give rows with a prompt, a chosen and a rejected answer, which end within data.maxTokens.",
    });
  if (reasons !== "") note(`${name}: of ${chosen.length} pairs are left out ${reasons}.`);
  return pairs;
}

function segments(tokens: TokenizedDataset, index: number): number {
  const { response } = tokens.row(index);
  return response.reduce((count, mark, t) => count + Number(mark === 1 && response[t - 1] !== 1), 0);
}

function answerOf(tokens: TokenizedDataset, index: number, side: "chosen" | "rejected"): PairedAnswer {
  const { prompt, response } = lastTurn(tokens, index);
  const { endOfTurn, columns } = tokens.row(index);
  const end = prompt.length + response.length;
  const column = weightColumns[side];
  const weights = columns[column]?.slice(prompt.length, end);
  const bad = weights?.findIndex((weight) => !Number.isFinite(weight)) ?? -1;
  if (bad >= 0)
    throw new UserError("invalid-weight", `${column} has ${weights![bad]} for token ${bad} of the answer`, {
      where: `row ${tokens.rowIds[index]}`,
      fix: "Weights are finite numbers; a negative one turns its token round.",
    });
  return { prompt, ids: response, finished: endOfTurn[end - 1] === 1, ...(weights && { weights }) };
}

const same = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((id, i) => id === b[i]);
