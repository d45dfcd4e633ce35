import { UserError } from "../system/errors.ts";
import { letEventsIn } from "../system/event-loop.ts";
import { lastTurn } from "../data/last-turn.ts";
import { makeBatch, splitMicroBatches } from "../data/batches.ts";
import type { AnswersOf } from "../data/answers.ts";
import type { TokenizedDataset } from "../data/tokenized.ts";
import { forward } from "../model/forward.ts";
import { generate } from "../model/generation/generate.ts";
import type { Model } from "../model/model.ts";
import { verifier } from "../text/index.ts";
import { meanLoss, perplexity, referenceProbability, rowLosses, type LossSum } from "./perplexity.ts";

/** What is measured, on how many rows. */
export interface EvaluateOptions {
  /** Rows computed at once; default 16. */
  batchSize?: number;
  /** Evaluate the first so many rows only. */
  rows?: number;
  /** Generate a greedy answer to each row's prompt and compare it with the reference. */
  exactMatch?: {
    maxNewTokens: number;
    /** Reads the reference answers of dataset rows. A row without one is compared with its own response. */
    answersOf?: AnswersOf;
  };
  onProgress?: (done: number, total: number) => void;
}

/** A model measured on held-out rows. Lists have one entry per row, in the dataset's order. */
export interface Evaluation {
  /** Mean over all response tokens, in nats. */
  readonly loss: number;
  readonly perplexity: number;
  /**
   * Mean over rows of the probability of the row's own response, every token of it that trains (the end of the turn, too):
   * the share of answers drawn at temperature 1 that are exactly the reference. Of a row with several turns all of them.
   */
  readonly referenceProbability: number;
  readonly tokens: number;
  readonly rows: number;
  /** Share of rows whose generated final answer is the reference's. */
  readonly exactMatch?: number;
  readonly rowIds: number[];
  /** Mean over each row's response tokens. */
  readonly rowLosses: number[];
  readonly rowTokens: number[];
  readonly rowCorrect?: number[];
  /** The generated answers. */
  readonly rowAnswers?: string[];
}

/**
 * Loss of the response tokens, probability of the whole responses and, if asked for, exact match of generated answers.
 * @throws UserError, before anything is computed, for a row that no answer can be generated to
 * @example
 * import { releaseEngine, useEngine } from "tokensift";
 * import { openDataset, tokenizeDataset } from "tokensift/data";
 * import { evaluateModel } from "tokensift/evaluation";
 * import { loadModel } from "tokensift/model";
 *
 * await useEngine("cpu");
 * const model = await loadModel("models/tiny");
 * const data = await openDataset("datasets/word-problems/validation.arrow");
 * const tokens = await tokenizeDataset(data, model.tokenizer);
 * const { loss, rows } = await evaluateModel(model, tokens, { rows: 4 });
 * loss; //=> 0.04171
 * rows; //=> 4
 * releaseEngine();
 */
export async function evaluateModel(
  model: Model,
  tokens: TokenizedDataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { batchSize = 16, exactMatch, onProgress } = options;
  const indices = Array.from({ length: Math.min(tokens.length, options.rows ?? Infinity) }, (_, i) => i);
  if (exactMatch !== undefined)
    for (const index of indices) requireAnswerable(tokens, index, model.config.maxPositions);
  const total = indices.length * (exactMatch === undefined ? 1 : 2);
  const losses: LossSum[] = [];
  let done = 0;
  for (const part of splitMicroBatches(tokens, indices, batchSize)) {
    const batch = makeBatch(tokens, part);
    using pass = forward(model, batch, { gradients: null });
    const { logProb } = await pass.read(["logProb"]);
    const nll = logProb.map((value) => -value);
    rowLosses(nll, batch).forEach((sum, row) => (losses[part[row]!] = sum));
    onProgress?.((done += part.length), total);
    await letEventsIn();
  }
  const answered =
    exactMatch &&
    (await answerRows(model, tokens, indices, batchSize, exactMatch, (rows) => onProgress?.(done + rows, total)));
  return {
    loss: meanLoss(losses),
    perplexity: perplexity(losses),
    referenceProbability: referenceProbability(losses),
    tokens: losses.reduce((sum, row) => sum + row.tokens, 0),
    rows: indices.length,
    ...(answered && { exactMatch: answered.rowCorrect.reduce((a, b) => a + b, 0) / indices.length }),
    rowIds: indices.map((index) => tokens.rowIds[index]!),
    rowLosses: losses.map(({ sum, tokens: count }) => sum / count),
    rowTokens: losses.map((row) => row.tokens),
    ...answered,
  };
}

function requireAnswerable(tokens: TokenizedDataset, index: number, maxPositions: number): void {
  const { length } = lastTurn(tokens, index).prompt;
  if (length > 0 && length < maxPositions) return;
  const where = `held-out row ${tokens.rowIds[index]!}`;
  if (length === 0)
    throw new UserError("missing-prompt", "it has no prompt that an answer could be generated to", {
      where,
      fix: "Set evaluation.generate to false, or give rows with prompts.",
    });
  throw new UserError(
    "too-long",
    `a prompt of ${length} tokens leaves no room for an answer: the context is ${maxPositions}`,
    {
      where,
      fix: `Set data.maxTokens to at most ${maxPositions}, or evaluation.generate to false.`,
    },
  );
}

/** Greedy answers to the rows' prompts, and 1 where one agrees with the reference. */
async function answerRows(
  model: Model,
  tokens: TokenizedDataset,
  indices: readonly number[],
  batchSize: number,
  { maxNewTokens, answersOf }: NonNullable<EvaluateOptions["exactMatch"]>,
  onProgress: (rows: number) => void,
): Promise<{ rowCorrect: number[]; rowAnswers: string[] }> {
  const rowCorrect = new Array<number>(indices.length).fill(0);
  const rowAnswers = new Array<string>(indices.length).fill("");
  const references = await answersOf?.(indices.map((index) => tokens.rowIds[index]!));
  const { verify, close } = verifier();
  let done = 0;
  for (const part of splitMicroBatches(tokens, indices, batchSize)) {
    const asked = part.map((index) => lastTurn(tokens, index));
    const answers = await generate(
      model,
      asked.map(({ prompt }) => prompt),
      { maxNewTokens, batchSize },
    );
    for (const [i, index] of part.entries()) {
      const response = model.tokenizer.decode(answers[i]!.ids, { skipSpecialTokens: true });
      const own = model.tokenizer.decode(asked[i]!.response, { skipSpecialTokens: true });
      const { verdict } = await verify({ response, reference: references?.get(tokens.rowIds[index]!) ?? own });
      rowCorrect[index] = verdict === "correct" ? 1 : 0;
      rowAnswers[index] = response;
    }
    onProgress((done += part.length));
  }
  await close();
  return { rowCorrect, rowAnswers };
}
