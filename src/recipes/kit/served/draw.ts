import type { GenerationPace } from "../../../model/generation/options.ts";
import { atOnce } from "../../../server/at-once.ts";
import type { ServerClient } from "../../../server/client.ts";
import { RequestFailure } from "../../../server/failure.ts";
import type { Completion } from "../../../server/protocol.ts";
import { UserError } from "../../../system/errors.ts";
import { Outage } from "../../../system/outage.ts";
import { stream } from "../../../system/random.ts";
import type { Tokenizer } from "../../../text/index.ts";
import type { Drawn, Question } from "../responses/index.ts";
import { type AnswerStore, type GivenAnswer, keyOf, type StoredAnswer } from "./answer-store.ts";

/** How responses are drawn by a server. */
export interface ServedSampling {
  readonly samples: number;
  readonly temperature: number;
  readonly topP: number;
  readonly topK?: number | undefined;
  readonly maxNewTokens: number;
}

export interface ServedDrawOptions {
  readonly client: ServerClient;
  readonly store: AnswerStore;
  /** Name of the model that is asked. */
  readonly model: string;
  /** Whether an answer must say that name; else all must say the same. */
  readonly named: boolean;
  readonly sampling: ServedSampling;
  readonly seed: number;
  /** Round of drawing. */
  readonly iteration: number;
  readonly tokenizer: Pick<Tokenizer, "encode" | "decode">;
  readonly shape: {
    readonly vocabularySize: number;
    readonly maxPositions: number;
    readonly endOfText: readonly number[];
  };
  /** Requests at a time. */
  readonly concurrency: number;
  /** Ends all requests. */
  readonly stop: (reason: unknown) => void;
  readonly onProgress?: ((done: number, total: number, pace: GenerationPace) => void) | undefined;
}

/** What a server has drawn. */
export interface ServedDraw {
  /** All of the first question, then those of the second, ...; without those that were lost. */
  readonly drawn: readonly Drawn[];
  /** Of each of them, where the server has told it: log-probabilities of its tokens, before temperature and truncation; NaN of single ones. */
  readonly logProbs: readonly (Float32Array | undefined)[];
  /** Responses that the server did not give. */
  readonly lost: number;
  /** Responses whose ids are not known, as the server gives text, and text that its ids do not spell. */
  readonly fromText: { readonly all: number; readonly other: number };
  readonly pace: GenerationPace;
}

/**
 * Draws responses from a server. Each is in the store before it is used, and what the store has is not asked for again. A
 * response that the server does not give in all tries is lost, and stays so.
 * @throws Outage where the server is gone, UserError where another model answers or the server refuses what it is asked
 */
export async function drawFromServer(questions: readonly Question[], options: ServedDrawOptions): Promise<ServedDraw> {
  const { client, store, concurrency, stop } = options;
  const { samples } = options.sampling;
  const wanted = questions.flatMap((question) =>
    Array.from({ length: samples }, (_, sample) => ({
      question,
      sample,
      key: keyOf({ question: question.rowId, sample }),
    })),
  );
  const start = performance.now();
  const pace = { promptTokens: 0, newTokens: 0, seconds: 0 };
  let done = wanted.filter(({ key }) => store.answers.has(key)).length;
  const losses: StoredAnswer[] = [];
  const missing = wanted.filter(({ key }) => !store.answers.has(key));
  await atOnce(
    missing,
    concurrency,
    async (asked) => {
      const answer = await answerOf(asked, options);
      if ("lost" in answer) losses.push(answer);
      else store.add(answer);
      done++;
      pace.promptTokens += asked.question.prompt.length;
      pace.newTokens += "ids" in answer ? answer.ids.length : 0;
      pace.seconds = (performance.now() - start) / 1000;
      options.onProgress?.(done, wanted.length, pace);
    },
    stop,
  );
  const reason = losses.flatMap((answer) => ("lost" in answer ? [answer.lost] : [])).at(-1);
  if (losses.length === wanted.length) throw new Outage(`The server ${client.url} gives no answer: ${reason}.`);
  losses.forEach(store.add); // only now: a round that is broken off asks for them again
  const answers = wanted.map(({ question, key }) => ({ question, answer: store.answers.get(key)! }));
  const given = answers.flatMap(({ question, answer }) => ("ids" in answer ? [{ question, answer }] : []));
  const texts = given.map(({ answer }) => answer.fromText);
  return {
    drawn: given.map(({ question: { rowId, prompt }, answer: { sample, ids, finished } }) => {
      return { rowId, sample, prompt, ids, finished };
    }),
    logProbs: given.map(({ answer: { logProbs } }) => logProbs && Float32Array.from(logProbs, (value) => value ?? NaN)),
    lost: answers.length - given.length,
    fromText: {
      all: texts.filter((from) => from !== undefined).length,
      other: texts.filter((from) => from === "other").length,
    },
    pace,
  };
}

async function answerOf(
  { question, sample }: { question: Question; sample: number },
  options: ServedDrawOptions,
): Promise<StoredAnswer> {
  const { client, model, sampling, seed, iteration, tokenizer, shape } = options;
  const { rowId, prompt } = question;
  const place = { question: rowId, sample };
  try {
    const completion = await client.complete({
      ...{ model, prompt },
      promptText: () => tokenizer.decode(prompt),
      ...{ temperature: sampling.temperature, topP: sampling.topP, topK: sampling.topK },
      maxNewTokens: Math.min(sampling.maxNewTokens, shape.maxPositions - prompt.length),
      seed: stream(seed, "server", iteration, rowId, sample).below(2 ** 31),
      stop: shape.endOfText,
    });
    requireModel(completion.model, options);
    return { ...place, model: completion.model, ...tokensOf(completion, options) };
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error;
    await client.requireUp(error);
    return { ...place, lost: error.message };
  }
}

/** @throws UserError where another model has answered */
function requireModel(answered: string | undefined, { client, store, model, named }: ServedDrawOptions): void {
  const [first] = [...store.answers.values()].flatMap((answer) => ("ids" in answer ? [answer.model] : []));
  const expected = named ? model : (first ?? answered);
  if (answered === expected) return;
  throw new UserError(
    "wrong-policy",
    `${JSON.stringify(expected)} was asked, and ${answeredBy(answered)} has answered`,
    {
      where: client.url,
      fix: "Give each run a server of its own, or one that tells its policies apart by their names.",
    },
  );
}

const answeredBy = (model: string | undefined): string =>
  model === undefined ? "a model without a name" : JSON.stringify(model.slice(0, 100));

/** The ids of an answer, up to the first that ends it. */
function tokensOf(
  { ids: given, text, finished, logProbs }: Completion,
  { tokenizer, shape, sampling }: ServedDrawOptions,
): Omit<GivenAnswer, "model"> {
  const { endOfText, vocabularySize } = shape;
  const ids = [...(given ?? tokenizer.encode(text))];
  const strange = ids.find((id) => id >= vocabularySize);
  if (strange !== undefined) throw new RequestFailure(`its answer has the token ${strange} of another vocabulary`);
  const end = ids.findIndex((id) => endOfText.includes(id));
  const whole = end < 0 ? ids : ids.slice(0, end + 1);
  const unsaid = end < 0 && finished && endOfText[0] !== undefined ? [endOfText[0]] : [];
  const all = [...whole, ...unsaid].slice(0, sampling.maxNewTokens);
  if (all.length === 0) throw new RequestFailure("its answer is empty");
  const spelled = given === undefined ? tokenizer.decode(ids) : text;
  return {
    ids: all,
    finished: endOfText.includes(all.at(-1)!),
    ...(logProbs && unsaid.length === 0 && { logProbs: logProbs.slice(0, all.length) }),
    ...(given === undefined && { fromText: spelled === text ? ("same" as const) : ("other" as const) }),
  };
}
