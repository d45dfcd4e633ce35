import type * as tf from "@tensorflow/tfjs-core";
import type { ForkedCache } from "../../eviction/cache/forked-cache.ts";
import type { Decoder } from "../../model/decoder.ts";
import { continuation, type NewToken } from "../../model/generation/continuation.ts";
import { valuesByRow } from "../../model/generation/draws.ts";
import { mostLikely } from "../../model/generation/sample.ts";
import type { CacheOutcome, CacheProblem, ForcedToken } from "./problem.ts";

/** What the model says of the token that follows. */
interface Next {
  readonly likeliest: number;
  /** Of the token that was asked about; NaN where none was. */
  readonly logProb: number;
}

/** A text that goes on behind its prompt. */
export interface OpenText {
  readonly problem: CacheProblem;
  /** Row of the cache. */
  readonly place: number;
  /** What follows the prompt, as the prompt's own pass says. */
  readonly first: Next;
}

/** How much is written. */
export interface WritingOptions {
  readonly maxNewTokens: number;
  /** What is written, and in how long, is added to it; prompts and questions do not count. */
  readonly pace: { tokens: number; seconds: number };
  /** Called after each token of all texts; what it throws ends the writing. */
  readonly onToken?: () => Promise<void> | void;
}

/** Reads and writes behind prompts that a forked cache holds. */
export interface Continuing {
  /** Reads prompts into rows 0, 1, … of the cache; asks about the first token of each one's reference. */
  start(problems: readonly CacheProblem[]): Promise<Next[]>;
  /** Reads question and reference of each text. */
  force(texts: readonly OpenText[]): Promise<ForcedToken[][]>;
  /** Reads the question of each text, and writes on. */
  write(texts: readonly OpenText[], options: WritingOptions): Promise<NonNullable<CacheOutcome["answer"]>[]>;
}

export function continuing(model: Decoder, cache: ForkedCache): Continuing {
  let asked: (number | undefined)[] = [];
  const read = async (logits: tf.Tensor2D): Promise<Next[]> =>
    (await valuesByRow(logits)).map((row) => nextOf(row, asked.shift()));
  const texts = continuation(model, cache, { read, alone: false });
  const extend = (tokens: readonly NewToken[], about: (number | undefined)[]): Promise<Next[]> => {
    asked = about;
    return texts.extend(tokens);
  };

  /** Reads these tokens behind each prompt; what follows each of them, text by text. */
  const readOn = async (
    open: readonly OpenText[],
    tokensOf: (text: OpenText) => readonly number[],
    aboutOf: (text: OpenText) => readonly (number | undefined)[],
  ): Promise<Next[][]> => {
    const tokens = open.flatMap((text) =>
      tokensOf(text).map((id, i) => ({ id, position: text.problem.context.length + i, place: text.place })),
    );
    const found = await extend(tokens, open.flatMap(aboutOf));
    return open.map((text) => found.splice(0, tokensOf(text).length));
  };

  return {
    start(problems) {
      asked = problems.map(({ question = [], reference }) => (question.length > 0 ? undefined : reference?.[0]));
      return texts.start(problems.map(({ context }, place) => ({ ids: context, place, forbidden: [] })));
    },
    async force(open) {
      const tailOf = ({ problem: { question = [], reference = [] } }: OpenText) => [...question, ...reference];
      // The last token of the reference is read for nothing but its key: its attention to the prompt counts in errors.
      const nexts = await readOn(open, tailOf, (text) => [...tailOf(text).slice(1), undefined]);
      return open.map(({ problem: { question = [], reference = [] }, first }, i) => {
        const before = [first, ...nexts[i]!].slice(question.length);
        return reference.map((id, t) => ({
          logProb: before[t]!.logProb,
          likeliest: before[t]!.likeliest === id,
        }));
      });
    },
    async write(open, { maxNewTokens, pace, onToken }) {
      const questionOf = ({ problem: { question = [] } }: OpenText) => question;
      const nexts = await readOn(open, questionOf, (text) => questionOf(text).map(() => undefined));
      const stop = new Set(model.config.endOfText);
      const rows = open.map((text, i) => {
        const length = text.problem.context.length + questionOf(text).length;
        return {
          ...{ place: text.place, length, ids: [] as number[], finished: false },
          next: (nexts[i]!.at(-1) ?? text.first).likeliest,
          most: Math.min(maxNewTokens, model.config.maxPositions - length),
        };
      });
      let live = rows.filter(({ most }) => most > 0);
      const start = performance.now();
      while (live.length > 0) {
        for (const row of live) {
          row.ids.push(row.next);
          row.finished = stop.has(row.next);
        }
        live = live.filter(({ finished, ids, most }) => !finished && ids.length < most);
        const tokens = live.map(({ place, length, ids, next }) => ({
          id: next,
          position: length + ids.length - 1,
          place,
        }));
        const found = live.length === 0 ? [] : await extend(tokens, []);
        live.forEach((row, i) => (row.next = found[i]!.likeliest));
        pace.tokens += live.length;
        await onToken?.();
      }
      pace.seconds += (performance.now() - start) / 1000;
      return rows.map(({ ids, finished }) => ({ ids, finished }));
    },
  };
}

function nextOf(logits: Float32Array, asked: number | undefined): Next {
  const likeliest = mostLikely(logits);
  if (asked === undefined) return { likeliest, logProb: NaN };
  const largest = logits[likeliest]!;
  let mass = 0;
  for (const logit of logits) mass += Math.exp(logit - largest);
  return { likeliest, logProb: logits[asked]! - largest - Math.log(mass) };
}
