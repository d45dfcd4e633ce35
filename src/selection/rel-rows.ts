/**
 * Rows in place of tokens: trains whole responses, those on which the model has improved most over an earlier state of
 * itself. ssToken's retrospective excess loss (https://arxiv.org/abs/2510.18250) as a mean over the response. Ours: no paper
 * ranks rows so; it is what ssToken must beat for a choice of tokens to be worth more than one of rows.
 *
 *     REL(row) = mean over the response of L_history(i) - L_theta(i)     large = the model has already improved here
 *     keep the top rho of the step's rows, and all response tokens of a row that is kept
 *
 * With the starting model as history REL is rounding noise at first: while the step's rows differ by less than
 * `minimumRange` all of them train.
 */
import type { Divisor, Entry, TokenRule, Tokens } from "../contract/index.ts";
import { topMask, type Order } from "../ranking/index.ts";
import { chooserSchema, divideBySchema } from "./chooser.ts";
import { excessLoss } from "./excess-loss.ts";
import { requireOption } from "./options.ts";

/** Options of `relRows`. */
export interface RelRowsOptions {
  /** Share of the step's rows to keep, rounded up, in (0, 1]. Default 0.6. */
  readonly ratio?: number;
  /** The rows with the highest REL, or with the lowest. Default `highest`. */
  readonly order?: Order;
  /** While the REL of the step's rows differs by less than this, nats, all of them train. Default 1e-4. */
  readonly minimumRange?: number;
  /** What the loss is divided by. Default `kept`. */
  readonly divideBy?: Divisor;
}

/**
 * Weight 1 on all response tokens of the rows that are kept, 0 on those of the others, `[rows * width]`.
 * Losses are in nats.
 *
 * @throws UserError for an impossible option; when weighing, for a loss that is not finite (naming row and token)
 */
export function relRows(options: RelRowsOptions = {}): TokenRule<"nll" | "historyNll"> {
  const { ratio = 0.6, order = "highest", minimumRange = 1e-4, divideBy = "kept" } = options;
  const name = "rel-rows";
  requireOption(name, "ratio", ratio, ratio > 0 && ratio <= 1, "above 0 and at most 1");
  requireOption(name, "order", order, ["highest", "lowest"].includes(order), "highest or lowest");
  requireOption(name, "minimumRange", minimumRange, minimumRange >= 0, "0 or more");
  return {
    name,
    needs: ["nll", "historyNll"],
    scope: "step",
    divideBy,
    ratio,
    weigh(tokens) {
      const { rel, answered } = relOfRows(tokens);
      const { least, most } = rangeOf(rel, answered);
      const rows = { rows: 1, width: rel.length, response: answered };
      const kept = most - least < minimumRange ? answered : topMask(rel, rows, { ratio, order });
      return Float32Array.from(tokens.response, (mark, i) => mark * kept[Math.floor(i / tokens.width)]!);
    },
    metrics(tokens) {
      const { rel, answered } = relOfRows(tokens);
      const { least, most } = rangeOf(rel, answered);
      return { relRange: Math.max(0, most - least) };
    },
  };
}

/** Of each row the mean REL over its response, and whether it has one. */
function relOfRows(tokens: Tokens<"nll" | "historyNll">): { rel: Float64Array; answered: Uint8Array } {
  const { rows, width, response } = tokens;
  const difference = excessLoss(tokens, "historyNll", "nll");
  const [rel, answered] = [new Float64Array(rows), new Uint8Array(rows)];
  for (let b = 0; b < rows; b++) {
    let [sum, count] = [0, 0];
    for (let i = b * width; i < (b + 1) * width; i++) {
      sum += difference[i]!;
      count += response[i]!;
    }
    if (count === 0) continue;
    rel[b] = sum / count;
    answered[b] = 1;
  }
  return { rel, answered };
}

/** `least` exceeds `most` where no row has a response. */
function rangeOf(rel: Float64Array, answered: Uint8Array): { least: number; most: number } {
  const values = rel.filter((_, b) => answered[b] === 1);
  return { least: Math.min(...values), most: Math.max(...values) };
}

export const relRowsEntry = {
  name: "rel-rows",
  summary: "Trains the rows on which the model has improved most over an earlier state, with all their tokens.",
  formula: "keep the top rho of the step's rows by the mean over the response of L_history(i) - L(i)",
  options: {
    ratio: {
      type: "number",
      exclusiveMinimum: 0,
      maximum: 1,
      default: 0.6,
      description: "Share of the step's rows to keep, rounded up.",
    },
    order: {
      ...chooserSchema.order,
      default: "highest",
      description: "Keep the rows with the highest REL, or with the lowest.",
    },
    minimumRange: {
      type: "number",
      minimum: 0,
      default: 1e-4,
      description: "While the rows' REL differs by less than this, all of them train.",
    },
    divideBy: divideBySchema("kept"),
  },
  notes: [
    "Ours: ssToken's score for rows, to see what choosing tokens adds to choosing rows.",
    "It ranks the rows of one optimizer step: with a batch of one row everything trains.",
  ],
  takes: ["ratio", "divideBy"],
  create: relRows,
} as const satisfies Entry<TokenRule>;
